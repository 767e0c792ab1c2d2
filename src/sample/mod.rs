//! sampling
pub mod tempering;
