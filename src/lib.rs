//! Haploom learns the distribution of human haplotypes and makes new ones.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Panel`] | haplotypes x biallelic sites, bit-packed and immutable, with sites, samples, ploidy and labels |
//! | [`models::Model`] | a trained generator of haplotypes, bound to the sites it was trained on; a file ([`model_file`]) |
//! | [`sample::Sampler`] | a stream of artificial haplotypes from a model |
//! | [`impute::Imputer`] | fills untyped sites of people, from a model, from a panel, or from both |
//! | [`evaluate::Evaluation`] | how close an artificial panel is to a real one, and how much of it leaks |
//!
//! From a panel to artificial people:
//! ```
//! use haploom::evaluate::{EvaluateOptions, evaluate};
//! use haploom::io::{ReadOptions, WriteOptions, read_panel, write_panel};
//! use haploom::models::ModelKind;
//! use haploom::options::Options;
//! use haploom::progress::Progress;
//! use haploom::sample::{SampleSettings, Sampler};
//! use haploom::train::{TrainSettings, train};
//!
//! # fn main() -> haploom::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("haploom-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let (panel_file, out) = (std::path::Path::new("assets/demo.bcf"), folder.join("artificial.bcf"));
//! let panel = read_panel(panel_file, &ReadOptions::default())?.panel;
//! let mut options = Options::new();
//! options.set_text("epochs=5")?;
//! let model = train(&panel, ModelKind::Rbm, &options, &TrainSettings::default(), &mut Progress::none())?;
//!
//! let mut sampler = Sampler::new(model.into(), &SampleSettings::default())?;
//! let haplotypes = sampler.next(200)?;
//! let artificial = haploom::Panel::artificial(sampler.sites().clone(), haplotypes, "HAPLOOM")?;
//! write_panel(&out, &artificial, &WriteOptions::default())?;
//!
//! let judged = evaluate(&panel, &artificial, None, &EvaluateOptions::default(), &mut Progress::none())?;
//! assert!(judged.get("frequency_r").is_some_and(|r| r > 0.9));
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]

pub mod cli;
pub mod compute;
pub mod demo;
pub mod error;
pub mod evaluate;
mod ffi;
pub mod hmm;
pub mod impute;
pub mod io;
pub mod linalg;
pub mod memory;
pub mod model_file;
pub mod models;
pub mod nn;
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
