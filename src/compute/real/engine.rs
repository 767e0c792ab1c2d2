//! How a product of single-precision numbers is cut into tasks and tiles.

use super::pack::{Line, pack_left, pack_right};
use super::{BLOCK, PIECE, Product, Sums, tile, wide};
use crate::compute::Path;
use crate::error::{Error, ErrorKind, Result};
use crate::threads::Threads;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory in which factors are laid out for tiles, used again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The left factor, where all tasks share it.
    left: Vec<Line>,
    /// What each thread needs.
    own: Vec<Line>,
    /// Sums of pieces.
    pieces: Vec<f32>,
}

/// Columns of a tile.
pub const TILE_COLUMNS: usize = 32;
/// Rows of a tile.
pub const TILE_ROWS: usize = 32;
/// Lines of a packed right factor that a task works on: half of a small second-level cache.
const RIGHT_LINES: usize = 256 * 1024 / 64;
/// Rows of a left factor that a task lays out for itself, where sums have several pieces.
const OWN_ROWS: usize = 256;
/// Columns that a task takes.
const TASK_COLUMNS: usize = 512;

/// Work that is done before other threads have woken, in numbers that are laid out.
const LITTLE: usize = 1 << 20;

/// Memory that tasks write disjoint parts of.
struct Shared(*mut f32);
// SAFETY: tasks write disjoint tiles, and the slice outlives them (`multiply` waits for all).
unsafe impl Sync for Shared {}

impl Shared {
    /// `length` numbers from `at` on.
    ///
    /// # Safety
    /// They are inside the slice, and nobody else reads or writes them meanwhile.
    #[allow(clippy::mut_from_ref)]
    unsafe fn part(&self, at: usize, length: usize) -> &mut [f32] {
        // SAFETY: the caller's.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(at), length) }
    }
}

/// The first `count` of at least so many values.
fn grown<T: Copy + Default>(values: &mut Vec<T>, count: usize) -> Result<&mut [T]> {
    if values.len() < count {
        values.try_reserve(count - values.len()).map_err(|_| {
            let bytes = count as f64 * size_of::<T>() as f64;
            Error::new(
                ErrorKind::OutOfMemory,
                format!("no memory for {:.1} MiB of a product", bytes / (1 << 20) as f64),
            )
        })?;
        values.resize(count, T::default());
    }
    Ok(&mut values[..count])
}

/// See [`super::product`].
///
/// # Safety
/// Factors and output are long enough for the shape, as [`super::product`] asserts.
pub unsafe fn multiply(
    path: Path,
    threads: &Threads,
    scratch: &mut Scratch,
    product: &Product<f32>,
    out: &mut [f32],
) -> Result<()> {
    let Product { rows, columns, terms, left, right, sums, slope, out_row } = *product;
    let alone = Threads::single();
    let threads = if path.work(rows, terms, columns) < LITTLE { &alone } else { threads };
    let pieces = terms.div_ceil(PIECE).max(1);
    let depth = |piece: usize| (terms - piece * PIECE).min(PIECE).div_ceil(BLOCK);
    let deepest = depth(0).max(1);
    // Lines of a tile of columns, and of a row, at a depth of so many blocks.
    let right_lines = path.right_lines(deepest);
    let tiles_at_once = (RIGHT_LINES / right_lines).clamp(1, TASK_COLUMNS / TILE_COLUMNS);
    let column_tasks = columns.div_ceil(TASK_COLUMNS);
    let shares_left = pieces == 1;
    let task_rows = match shares_left {
        // A few tasks a thread; one where there is nobody to share with.
        true => {
            let wanted = if threads.count() == 1 { 1 } else { (4 * threads.count()).div_ceil(column_tasks) };
            rows.div_ceil(wanted).next_multiple_of(TILE_ROWS)
        }
        false => rows.min(OWN_ROWS).next_multiple_of(TILE_ROWS),
    };
    let row_tasks = rows.div_ceil(task_rows);
    // Where the left factor is shared, tasks are parts of the columns; else each takes all of them.
    let tasks = if shares_left { row_tasks * column_tasks } else { row_tasks * pieces };
    let workers = threads.count().min(tasks);

    let Scratch { left: shared_left, own, pieces: piece_sums } = scratch;
    if shares_left {
        let lines = path.left_lines(TILE_ROWS, deepest);
        let packed = grown(shared_left, rows.div_ceil(TILE_ROWS) * lines)?;
        threads.for_each_piece(packed, lines, |group, packed| {
            let first = group * TILE_ROWS;
            pack_left(path, &left, first, (rows - first).min(TILE_ROWS), 0, terms, packed);
        })?;
    }
    let shared_left = &shared_left[..];
    let own_left_lines = if shares_left { 0 } else { path.left_lines(task_rows, deepest) };
    let own_lines = own_left_lines + tiles_at_once * right_lines;
    let own = grown(own, workers * own_lines)?;

    let several = pieces > 1;
    let piece_sums = grown(piece_sums, if several { pieces * rows * columns } else { 0 })?;
    let (target, target_row) = if several { (&mut *piece_sums, columns) } else { (&mut *out, out_row) };
    let target = Shared(target.as_mut_ptr());
    let target = &target;
    let next = AtomicUsize::new(0);
    threads.for_each_piece(own, own_lines, |_, own| {
        let (own_left, own_right) = own.split_at_mut(own_left_lines);
        let _state = path.begin();
        let mut found = tile::Sums::default();
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                break;
            }
            let (row_task, other) = (task % row_tasks, task / row_tasks);
            let (piece, task_columns) = match shares_left {
                true => (0, other * TASK_COLUMNS..columns.min((other + 1) * TASK_COLUMNS)),
                false => (other, 0..columns),
            };
            let first_row = row_task * task_rows;
            let height = (rows - first_row).min(task_rows);
            let (first_term, blocks) = (piece * PIECE, depth(piece));
            let count = terms.saturating_sub(first_term).min(PIECE);
            let left_lines = path.left_lines(TILE_ROWS, blocks);
            let packed_left = match shares_left {
                true => &shared_left[first_row / TILE_ROWS * left_lines..],
                false => {
                    for group in (0..height).step_by(TILE_ROWS) {
                        let packed = &mut own_left[group / TILE_ROWS * left_lines..][..left_lines];
                        let some = (height - group).min(TILE_ROWS);
                        pack_left(path, &left, first_row + group, some, first_term, count, packed);
                    }
                    &own_left[..]
                }
            };
            let right_lines = path.right_lines(blocks);
            for some in task_columns.clone().step_by(tiles_at_once * TILE_COLUMNS) {
                let end = task_columns.end.min(some + tiles_at_once * TILE_COLUMNS);
                for n in (some..end).step_by(TILE_COLUMNS) {
                    let packed = &mut own_right[(n - some) / TILE_COLUMNS * right_lines..][..right_lines];
                    pack_right(path, &right, n, (end - n).min(TILE_COLUMNS), first_term, count, packed);
                }
                for m in (0..height).step_by(TILE_ROWS) {
                    let left = &packed_left[m / TILE_ROWS * left_lines..][..left_lines];
                    let tile_height = (height - m).min(TILE_ROWS);
                    for n in (some..end).step_by(TILE_COLUMNS) {
                        let right = &own_right[(n - some) / TILE_COLUMNS * right_lines..][..right_lines];
                        tile::multiply(path, left, right, blocks, tile_height, &mut found);
                        let width = (end - n).min(TILE_COLUMNS);
                        for (r, found) in found.rows().take(tile_height).enumerate() {
                            let row = first_row + m + r;
                            let at = if several { (piece * rows + row) * columns } else { row * target_row };
                            // SAFETY: inside the output by the assertions of `product`, or inside the sums of pieces;
                            // the rows and columns of different tasks are disjoint.
                            let out = unsafe { target.part(at + n, width) };
                            let sums = if several { Sums::Written } else { sums };
                            let slope = if several { 1.0 } else { slope };
                            wide(|| finish(out, &found[..width], row, sums, slope));
                        }
                    }
                }
            }
        }
    })?;
    if several {
        // A task writes one row, piece after piece.
        let found = &piece_sums[..];
        threads.for_each_piece(&mut out[..(rows - 1) * out_row + columns], out_row, |m, out| {
            wide(|| add_up(&mut out[..columns], found, m, rows, sums, slope));
        })?;
    }
    Ok(())
}

/// Sums of a row become what they are to become.
#[inline(always)]
fn finish(out: &mut [f32], found: &[f32], row: usize, sums: Sums<f32>, slope: f32) {
    let pairs = out.iter_mut().zip(found);
    match sums {
        Sums::Shifted(shifts) => {
            let shift = shifts[row];
            pairs.for_each(|(o, f)| *o = sloped(f + shift, slope));
        }
        Sums::Added => pairs.for_each(|(o, f)| *o += f),
        Sums::Written => pairs.for_each(|(o, f)| *o = sloped(*f, slope)),
    }
}

#[inline(always)]
fn sloped(x: f32, slope: f32) -> f32 {
    if x < 0.0 { slope * x } else { x }
}

/// A row of the sums of all pieces.
#[inline(always)]
fn add_up(out: &mut [f32], found: &[f32], m: usize, rows: usize, sums: Sums<f32>, slope: f32) {
    let columns = out.len();
    for (piece, found) in found.chunks_exact(rows * columns).enumerate() {
        let found = &found[m * columns..][..columns];
        let sums = if piece == 0 { sums } else { Sums::Added };
        finish(out, found, m, sums, 1.0);
    }
    if !matches!(sums, Sums::Added) {
        out.iter_mut().for_each(|o| *o = sloped(*o, slope));
    }
}

impl Path {
    /// Numbers that are laid out or written, and products in numbers that could be laid out meanwhile.
    fn work(self, rows: usize, terms: usize, columns: usize) -> usize {
        let at_once = if self == Path::Amx { 256 } else { 16 };
        let laid_out = rows.saturating_mul(terms).saturating_add(terms.saturating_mul(columns));
        let products = rows.saturating_mul(terms).saturating_mul(columns) / at_once;
        laid_out.saturating_add(rows.saturating_mul(columns)).saturating_add(products)
    }

    /// Lines of so many rows of a packed left factor.
    fn left_lines(self, rows: usize, blocks: usize) -> usize {
        rows.next_multiple_of(TILE_ROWS) * blocks * if self == Path::Amx { 1 } else { 2 }
    }

    /// Lines of a packed tile of columns.
    fn right_lines(self, blocks: usize) -> usize {
        // 32 terms of 32 columns.
        blocks * if self == Path::Amx { 32 } else { 64 }
    }

    /// What a thread holds while it works.
    fn begin(self) -> Option<tile::State> {
        match self {
            Path::Amx => tile::State::begin(),
            _ => None,
        }
    }
}
