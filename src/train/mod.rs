//! How models learn.

pub mod clusters;
pub mod contrastive;
pub mod optimiser;
pub mod output;
