//! Singular values and principal components, and optimal transport.
//!
//! Products run block by block, each block on one thread: results do not depend on the number of threads.

mod pca;
mod svd;
pub mod transport;

pub use pca::{Pca, pca};
pub use svd::{Svd, svd};
