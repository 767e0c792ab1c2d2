//! Painting: whom haplotypes were copied from.
