//! How models learn.
#![allow(missing_docs)]

pub mod contrastive;
pub mod optimiser;
