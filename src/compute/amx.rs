//! Tiles of Intel's matrix extension (Sapphire Rapids and later): whether they are there, and a thread's own. What multiplies
//! them is in `real/amx.rs` (bfloat16) and `cpu/tiles.rs` (bytes).
#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::OnceLock;

/// Rows of a tile, and its columns of 32 bits.
pub const SIDE: usize = 16;

/// Whether there are tiles of bytes and of bfloat16, vectors of the same, and the system lets this process use them. The system is
/// asked once: from then on it keeps room for tiles when it switches threads or enters a signal's handler.
pub fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        if !is_x86_feature_detected!("avx512bf16") || __cpuid(0).eax < 7 || __cpuid(1).ecx & 1 << 27 == 0 {
            return false;
        }
        let features = __cpuid_count(7, 0).edx;
        // Of bfloat16, tiles themselves, of bytes.
        let has_all = [22, 24, 25].iter().all(|bit| features & 1 << bit != 0);
        // SAFETY: OSXSAVE was looked for above.
        let keeps_tiles = || unsafe { xgetbv_0() } >> 17 & 3 == 3;
        has_all && keeps_tiles() && may_use_tiles()
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
        assert!(is_available(), "no tiles here");
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

/// Products of up to 32 rows and 32 columns over some blocks of terms, as rows of 32 sums. The left factor's tiles of the upper and
/// of the lower 16 rows stand block after block, and so do the right one's of 16 columns and of the other 16. The lower rows of both
/// sides are left alone where there are 16 or fewer.
macro_rules! products {
    ($($name:ident: $instruction:literal, $factors:literal;)*) => {$(
        #[doc = concat!("Sums of ", $factors, ", over at least one block.")]
        ///
        /// # Safety
        /// This thread has a [`State`], and the processor the instruction; there are `blocks` tiles of 1 KiB at each address, and the
        /// output is 32 rows of 128 bytes.
        #[inline]
        pub unsafe fn $name(left: [*const u8; 2], right: [*const u8; 2], blocks: usize, rows: usize, out: *mut u8) {
            let ([upper, lower], [near, far]) = (left, right);
            // SAFETY: the caller's.
            unsafe {
                if rows <= SIDE {
                    asm!(
                        "tilezero tmm0",
                        "tilezero tmm1",
                        "2:",
                        "tileloadd tmm4, [{upper} + {line}]",
                        "tileloadd tmm6, [{near} + {line}]",
                        "tileloadd tmm7, [{far} + {line}]",
                        concat!($instruction, " tmm0, tmm4, tmm6"),
                        concat!($instruction, " tmm1, tmm4, tmm7"),
                        "add {upper}, 1024",
                        "add {near}, 1024",
                        "add {far}, 1024",
                        "dec {blocks}",
                        "jnz 2b",
                        "tilestored [{out} + {row}], tmm0",
                        "tilestored [{out} + {row} + 64], tmm1",
                        upper = inout(reg) upper => _,
                        near = inout(reg) near => _,
                        far = inout(reg) far => _,
                        blocks = inout(reg) blocks => _,
                        line = in(reg) 64usize,
                        row = in(reg) 128usize,
                        out = in(reg) out,
                        out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
                        options(nostack)
                    );
                    return;
                }
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    "tileloadd tmm4, [{upper} + {line}]",
                    "tileloadd tmm6, [{near} + {line}]",
                    "tileloadd tmm5, [{lower} + {line}]",
                    "tileloadd tmm7, [{far} + {line}]",
                    concat!($instruction, " tmm0, tmm4, tmm6"),
                    concat!($instruction, " tmm2, tmm5, tmm6"),
                    concat!($instruction, " tmm1, tmm4, tmm7"),
                    concat!($instruction, " tmm3, tmm5, tmm7"),
                    "add {upper}, 1024",
                    "add {lower}, 1024",
                    "add {near}, 1024",
                    "add {far}, 1024",
                    "dec {blocks}",
                    "jnz 2b",
                    "tilestored [{out} + {row}], tmm0",
                    "tilestored [{out} + {row} + 64], tmm1",
                    "tilestored [{out} + {row} + 2048], tmm2",
                    "tilestored [{out} + {row} + 2112], tmm3",
                    upper = inout(reg) upper => _,
                    lower = inout(reg) lower => _,
                    near = inout(reg) near => _,
                    far = inout(reg) far => _,
                    blocks = inout(reg) blocks => _,
                    line = in(reg) 64usize,
                    row = in(reg) 128usize,
                    out = in(reg) out,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack)
                );
            }
        }
    )*};
}

products! {
    reals: "tdpbf16ps", "numbers in bfloat16, 32 terms a block";
    signed_signed: "tdpbssd", "signed bytes, 64 terms a block";
    signed_unsigned: "tdpbsud", "signed bytes and unsigned ones, 64 terms a block";
    unsigned_signed: "tdpbusd", "unsigned bytes and signed ones, 64 terms a block";
    unsigned_unsigned: "tdpbuud", "unsigned bytes, 64 terms a block";
}
