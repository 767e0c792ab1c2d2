//! Hidden Markov models along the genome, over packed panels: they serve imputation, painting, likelihoods and drawing.

pub mod clusters;
pub mod copying;
pub mod rates;
