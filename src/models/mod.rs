//! Generators of haplotypes: parameters and half-steps, one file a model.

pub mod rbm;
