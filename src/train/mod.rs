//! How models learn.
#![allow(missing_docs)]

pub mod clusters;
pub mod contrastive;
pub mod optimiser;
