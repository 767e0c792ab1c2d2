//! Which instructions of a processor products are made by.

use std::fmt;

/// Instructions that products are made by: of whole numbers (`cpu`) and of real ones (`real`). All give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Tiles of bytes and of bfloat16 (Intel's AMX), beside AVX-512.
    Amx,
    /// AVX-512 with VNNI.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// Plain loops; on aarch64 the compiler turns them into NEON.
    Portable,
}

impl Path {
    /// Every path, the fastest first.
    const ALL: [Path; 4] = [Path::Amx, Path::Avx512, Path::Avx2, Path::Portable];

    /// Those that this processor has, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Path::ALL.into_iter().filter(|path| path.is_available())
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Path::available().next().unwrap_or(Path::Portable)
    }

    /// The widest vectors that this processor has.
    pub fn best_vector() -> Self {
        // Tiles are not asked for: that alone would have the system keep room for them.
        Path::ALL.into_iter().find(|path| *path != Path::Amx && path.is_available()).unwrap_or(Path::Portable)
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Path::Amx => Path::Avx512.is_available() && super::amx::is_available(),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Path::Portable => true,
            #[allow(unreachable_patterns, reason = "a processor with every path")]
            _ => false,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Path::Amx => "AMX",
            Path::Avx512 => "AVX-512",
            Path::Avx2 => "AVX2",
            Path::Portable => "no vector path of its own",
        })
    }
}
