//! Gradients of a network's parameters, gathered over passes.

use super::graph::Parameter;
use super::{Real, Workspace};
use crate::compute::cuda::Memory;
use crate::error::Result;

/// A list of numbers for each parameter of a network. What a pass finds first is written and the rest added to it, so that
/// lists need not be set to 0 before each step: for large networks that costs as much as the step itself.
#[derive(Debug)]
pub struct Gradients<T> {
    lists: Vec<Vec<T>>,
    /// The lists in a GPU's memory, in place of the others.
    placed: Vec<Memory>,
    written: Vec<bool>,
}

impl<T: Real> Gradients<T> {
    /// Nothing yet, in the processor's memory.
    pub fn new(parameters: &[Parameter]) -> Self {
        Gradients {
            lists: parameters.iter().map(|p| vec![T::default(); p.size()]).collect(),
            placed: Vec::new(),
            written: vec![false; parameters.len()],
        }
    }

    /// Nothing yet, where the workspace works.
    ///
    /// # Errors
    /// `OutOfDeviceMemory`, `DeviceFailed`.
    pub fn on(workspace: &Workspace<T>, parameters: &[Parameter]) -> Result<Self> {
        let Some(cuda) = workspace.cuda() else { return Ok(Gradients::new(parameters)) };
        let placed: Result<_> = parameters.iter().map(|p| cuda.zeros(p.size() * size_of::<T>())).collect();
        Ok(Gradients { lists: Vec::new(), placed: placed?, written: vec![false; parameters.len()] })
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

    /// The same as [`Gradients::place`] in a GPU's memory.
    pub(super) fn placed(&mut self, parameter: usize) -> (&Memory, bool) {
        let there = std::mem::replace(&mut self.written[parameter], true);
        (&self.placed[parameter], there)
    }

    /// The same as [`Gradients::sums`] in a GPU's memory.
    pub(super) fn placed_sums(&mut self, parameter: usize) -> Result<&Memory> {
        if !std::mem::replace(&mut self.written[parameter], true) {
            self.placed[parameter].clear()?;
        }
        Ok(&self.placed[parameter])
    }

    /// Two lists in a GPU's memory that were asked for before.
    pub(super) fn both(&self, one: usize, other: usize) -> [&Memory; 2] {
        [&self.placed[one], &self.placed[other]]
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

    /// The same in a GPU's memory.
    pub(super) fn placed_lists(&mut self) -> Result<&[Memory]> {
        (0..self.placed.len()).try_for_each(|parameter| self.placed_sums(parameter).map(|_| ()))?;
        Ok(&self.placed)
    }

    /// The lists, copied to the processor's memory where they are not there.
    ///
    /// # Errors
    /// `DeviceFailed`.
    pub fn to_host(&mut self) -> Result<Vec<Vec<T>>> {
        if self.placed.is_empty() {
            return Ok(self.lists().to_vec());
        }
        let lists = self.placed_lists()?;
        lists.iter().map(|memory| downloaded(memory, memory.bytes() / size_of::<T>())).collect()
    }
}

/// Numbers of a GPU's memory.
pub(super) fn downloaded<T: Real>(memory: &Memory, count: usize) -> Result<Vec<T>> {
    let mut numbers = vec![T::default(); count];
    memory.download(&mut numbers)?;
    Ok(numbers)
}
