//! The C library: one file a noun, functions that check, convert, call and store.
//!
//! `include/haploom.h` is made of these files by cbindgen (`make header`), so their comments are its text, and the order
//! below is its order. A line `§ Title` in a comment begins a section of the header.
//!
//! Rules: pointers that callers hand over are looked at in `handle` alone, so `unsafe` lives there (and in the few places
//! that write through them); every function runs inside [`status::guard`] or [`status::answer`], which catch panics.
//! The functions are not `unsafe` in Rust's sense because nothing in Rust can name them: this room is private.

#![allow(unsafe_code, non_camel_case_types)]

// What the header lets several threads use at once has to be fit for it.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<panel::haploom_panel>();
    shared::<model::haploom_model>();
    shared::<encode::haploom_encoding>();
    shared::<evaluate::haploom_evaluation>();
    shared::<imputer::haploom_imputer>();
    shared::<sites::haploom_sites>();
    shared::<sites::haploom_samples>();
    shared::<progress::haploom_cancel>();
    const fn movable<T: Send>() {}
    movable::<sampler::haploom_sampler>();
};

mod augment;
mod encode;
mod evaluate;
mod handle;
mod imputer;
mod model;
mod options;
mod panel;
mod progress;
mod sampler;
mod sites;
mod status;
mod version;
