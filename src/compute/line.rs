//! Lines of the cache: memory that vectors and tiles are loaded from begins at one.
#![allow(unsafe_code)]

/// A line of the cache: N numbers of 64 bytes together.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Line<T, const N: usize>(pub [T; N]);

impl<T: Copy + Default, const N: usize> Default for Line<T, N> {
    fn default() -> Self {
        const { assert!(size_of::<[T; N]>() == 64, "a line has 64 bytes") };
        Line([T::default(); N])
    }
}

/// Lines as numbers.
pub fn numbers<T, const N: usize>(lines: &[Line<T, N>]) -> &[T] {
    const { assert!(size_of::<[T; N]>() == 64, "a line has 64 bytes") };
    // SAFETY: a line is N numbers and nothing else.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * N) }
}

/// Lines as numbers.
pub fn numbers_mut<T, const N: usize>(lines: &mut [Line<T, N>]) -> &mut [T] {
    const { assert!(size_of::<[T; N]>() == 64, "a line has 64 bytes") };
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * N) }
}
