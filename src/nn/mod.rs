//! Neural networks: layers with explicit forward and backward passes, and optimisers.
//!
//! A [`Graph`] says which layers there are and how they are joined; its numbers are kept beside it, a list for each
//! parameter. [`Pass::forward`] keeps on a [`Tape`] what the way back needs; [`Pass::backward`] gives gradients of
//! parameters and inputs; [`Pass::penalty`] differentiates a gradient once more, exactly, as the gradient penalty of a
//! critic needs it. Everything is generic over [`Real`], so that tests check gradients in double precision.
//!
//! A [`Workspace`] says where passes run. On a GPU tensors, gradients, and the numbers of networks and optimisers that were placed
//! there stay in its memory; each operation has both twins beside each other, and graphs and passes know neither.

pub mod convolution;
pub mod gradients;
pub mod graph;
pub mod layers;
pub mod network;
pub mod normalise;
pub mod optimiser;
pub mod pass;
pub mod tensor;

#[cfg(test)]
mod tests;

pub use crate::compute::real::Real;
pub use gradients::Gradients;
pub use graph::{Graph, Initial, Node, Op, Parameter, Step};
pub use layers::Numbers;
pub use network::Network;
pub use pass::{Mode, Pass, Tape};
pub use tensor::{Tensor, Workspace};
