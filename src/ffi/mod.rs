//! The C library: one file a noun, functions that check, convert, call and store.
//!
//! `include/haploom.h` is made of these files by cbindgen (`make header`), so their comments are its text, and the order
//! below is its order. A line `§ Title` in a comment begins a section of the header.
//!
//! Rules: pointers that callers hand over are looked at in `handle` alone, so `unsafe` lives there (and in the few places
//! that write through them); every function runs inside [`status::guard`] or [`status::answer`], which catch panics.
//! The functions are not `unsafe` in Rust's sense because nothing in Rust can name them: this room is private.

#![allow(unsafe_code, non_camel_case_types)]

mod augment;
mod encode;
mod evaluate;
mod handle;
mod model;
mod options;
mod panel;
mod progress;
mod sampler;
mod sites;
mod status;
mod version;
