//! sampling
pub mod chains;
pub mod tempering;
