//! The numeric floor: vectorised operations, with no knowledge of models.

pub mod hamming;
