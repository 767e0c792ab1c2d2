//! A pool of threads owned by the handle that uses it.
//!
//! Nothing is global: one thread means no pool, and a pool made before a `fork` is replaced in the child, where its
//! threads do not exist. Work is handed out in units whose results do not depend on who does them.

use crate::error::{Error, ErrorKind, Result};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// How many threads to use, and the pool once it is needed. Clones share the pool.
#[derive(Clone, Debug)]
pub struct Threads {
    count: usize,
    pool: Arc<Mutex<Option<Pool>>>,
}

/// A pool and the process that started it.
type Pool = (u32, Arc<rayon::ThreadPool>);

impl Threads {
    /// `count` threads; 0 means one for each processor that this process may use.
    pub fn new(count: usize) -> Self {
        let count = match count {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
            n => n,
        };
        Threads { count, pool: Arc::default() }
    }

    /// The calling thread alone.
    pub fn single() -> Self {
        Threads::new(1)
    }

    /// The number of threads, at least 1.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `work` where rayon's parallel iterators use this pool, or on the calling thread if there is one thread.
    ///
    /// # Errors
    /// `OutOfMemory` if the threads cannot be started.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R> {
        let process = std::process::id();
        let pool = {
            let mut guard = self.pool.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match &*guard {
                Some((owner, pool)) if *owner == process => pool.clone(),
                _ => {
                    let pool = rayon::ThreadPoolBuilder::new()
                        .num_threads(self.count)
                        .thread_name(|i| format!("haploom-{i}"))
                        .build()
                        .map_err(|e| Error::new(ErrorKind::OutOfMemory, format!("cannot start threads: {e}")))?;
                    let pool = Arc::new(pool);
                    // A pool inherited through fork has no threads: leak it rather than wait for them.
                    if let Some((_, stale)) = guard.replace((process, pool.clone())) {
                        std::mem::forget(stale);
                    }
                    pool
                }
            }
        };
        Ok(pool.install(work))
    }

    /// Calls `work(i)` for i in 0..n, in any order.
    ///
    /// # Errors
    /// The first error (by i) that a call returned, or that the pool could not be started.
    pub fn for_each(&self, n: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
        if self.count == 1 || n <= 1 {
            return (0..n).try_for_each(work);
        }
        let results: Vec<Result<()>> = self.install(|| (0..n).into_par_iter().map(&work).collect())?;
        results.into_iter().collect()
    }

    /// `work(i)` for i in 0..n, in order.
    ///
    /// # Errors
    /// As [`Threads::for_each`].
    pub fn map<T: Send>(&self, n: usize, work: impl Fn(usize) -> T + Sync) -> Result<Vec<T>> {
        if self.count == 1 || n <= 1 {
            return Ok((0..n).map(work).collect());
        }
        self.install(|| (0..n).into_par_iter().map(&work).collect())
    }

    /// Calls `work(item)` for each, in any order.
    ///
    /// # Errors
    /// The pool could not be started.
    pub fn for_each_item<T: Send>(&self, items: Vec<T>, work: impl Fn(T) + Sync) -> Result<()> {
        if self.count == 1 || items.len() <= 1 {
            items.into_iter().for_each(work);
            return Ok(());
        }
        self.install(|| items.into_par_iter().for_each(&work))
    }

    /// Cuts `items` into pieces of `size` and calls `work(piece number, piece)` for each, in any order.
    ///
    /// # Errors
    /// The pool could not be started.
    pub fn for_each_piece<T: Send>(
        &self,
        items: &mut [T],
        size: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) -> Result<()> {
        if self.count == 1 || items.len() <= size {
            items.chunks_mut(size).enumerate().for_each(|(i, piece)| work(i, piece));
            return Ok(());
        }
        self.install(|| items.par_chunks_mut(size).enumerate().for_each(|(i, piece)| work(i, piece)))
    }
}

impl Default for Threads {
    /// One thread. This is the default.
    fn default() -> Self {
        Threads::single()
    }
}
