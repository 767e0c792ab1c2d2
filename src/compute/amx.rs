//! Tiles of Intel's matrix extension (Sapphire Rapids and later): whether they are there, and a thread's own. What multiplies
//! them is in `real/amx.rs` (bfloat16) and `cpu/tiles.rs` (bytes).
#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::OnceLock;

/// Rows of a tile, and its columns of 32 bits.
pub const SIDE: usize = 16;

/// What the tiles of this processor multiply.
#[derive(Clone, Copy)]
struct Factors {
    bytes: bool,
    bfloat16: bool,
}

/// Whether there are tiles of bfloat16, vectors of the same, and the system lets this process use them.
pub fn has_bfloat16() -> bool {
    factors().bfloat16 && is_x86_feature_detected!("avx512bf16")
}

/// Whether there are tiles of bytes, and the system lets this process use them.
pub fn has_bytes() -> bool {
    factors().bytes
}

/// The system is asked once: from then on it keeps room for tiles when it switches threads or enters a signal's handler.
fn factors() -> Factors {
    static FACTORS: OnceLock<Factors> = OnceLock::new();
    *FACTORS.get_or_init(|| {
        let none = Factors { bytes: false, bfloat16: false };
        let vectors = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl");
        if !vectors || __cpuid(0).eax < 7 || __cpuid(1).ecx & 1 << 27 == 0 {
            return none;
        }
        let features = __cpuid_count(7, 0).edx;
        let has = |bit: u32| features & 1 << bit != 0;
        // SAFETY: OSXSAVE was looked for above.
        let keeps_tiles = || unsafe { xgetbv_0() } >> 17 & 3 == 3;
        match has(24) && keeps_tiles() && may_use_tiles() {
            true => Factors { bytes: has(25), bfloat16: has(22) },
            false => none,
        }
    })
}

/// Which states the system keeps.
///
/// # Safety
/// The processor has OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn xgetbv_0() -> u64 {
    // SAFETY: the caller's.
    unsafe { _xgetbv(0) }
}

/// Asks the system for tiles.
fn may_use_tiles() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_int = 0x1023;
    const TILE_DATA: libc::c_ulong = 18;
    // SAFETY: the call takes two whole numbers, and changes nothing of this process but what it may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

/// A thread's tiles are set up: 8 of 16 rows of 64 bytes. They are given back when it is dropped.
pub struct State(());

impl State {
    /// Sets the tiles of this thread up.
    pub fn begin() -> Option<Self> {
        #[repr(C, align(64))]
        struct Shape {
            palette: u8,
            start: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        assert!(factors().bytes || factors().bfloat16, "no tiles here");
        let mut shape = Shape { palette: 1, start: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        shape.row_bytes[..8].fill(64);
        shape.rows[..8].fill(SIDE as u8);
        // SAFETY: tiles are there, and the shape is one that they take.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shape, options(nostack, preserves_flags, readonly)) };
        Some(State(()))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: nobody holds anything in this thread's tiles.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
    }
}
