//! Haploom learns the distribution of human haplotypes and makes new ones.
//!
//! | noun | what it is |
//! |---|---|
//! | [`panel::Panel`] | haplotypes x biallelic sites, bit-packed and immutable, with sites, samples, ploidy and labels |

#![deny(unsafe_code)]

pub mod cli;
pub mod compute;
pub mod error;
pub mod evaluate;
pub mod io;
pub mod linalg;
pub mod model_file;
pub mod models;
pub mod options;
pub mod panel;
pub mod progress;
pub mod rng;
pub mod sample;
pub mod threads;
pub mod train;

pub use error::{Error, ErrorKind, Result};
pub use panel::Panel;

/// The version of this library, `MAJOR.MINOR.PATCH`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
