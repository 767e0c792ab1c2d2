//! Gradients of a network's parameters, gathered over passes.

use super::Real;
use super::graph::Parameter;

/// A list of numbers for each parameter of a network. What a pass finds first is written and the rest added to it, so that
/// lists need not be set to 0 before each step: for large networks that costs as much as the step itself.
#[derive(Clone, Debug)]
pub struct Gradients<T> {
    lists: Vec<Vec<T>>,
    written: Vec<bool>,
}

impl<T: Real> Gradients<T> {
    /// Nothing yet.
    pub fn new(parameters: &[Parameter]) -> Self {
        Gradients {
            lists: parameters.iter().map(|p| vec![T::default(); p.size()]).collect(),
            written: vec![false; parameters.len()],
        }
    }

    /// Forgets what there is.
    pub fn clear(&mut self) {
        self.written.fill(false);
    }

    /// A parameter's numbers to write to, and whether there is something that has to be added to.
    pub(super) fn place(&mut self, parameter: usize) -> (&mut [T], bool) {
        let there = std::mem::replace(&mut self.written[parameter], true);
        (&mut self.lists[parameter], there)
    }

    /// A parameter's numbers to add to.
    pub(super) fn sums(&mut self, parameter: usize) -> &mut [T] {
        let (list, there) = self.place(parameter);
        if !there {
            list.fill(T::default());
        }
        list
    }

    /// The lists: 0 for parameters that no pass has reached.
    pub fn lists(&mut self) -> &[Vec<T>] {
        for (list, written) in self.lists.iter_mut().zip(&mut self.written) {
            if !std::mem::replace(written, true) {
                list.fill(T::default());
            }
        }
        &self.lists
    }
}
