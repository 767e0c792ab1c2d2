//! What a program that links the shared library sees of it: its soname, and that it stays once it is loaded.

use std::env::var;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/ffi/version.rs");
    if var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        let source = std::fs::read_to_string("src/ffi/version.rs").expect("the source is there");
        let after = source.split("HAPLOOM_ABI: i32 = ").nth(1).expect("the source says HAPLOOM_ABI");
        let abi = after.split(';').next().unwrap_or_default();
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libhaploom.so.{abi}");
        // Threads and thread-local storage may outlive a dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
