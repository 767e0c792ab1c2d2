//! Whose turn it is on a device: several threads may share one (an imputer is used by any thread), and what they ask for in
//! one operation stays together. A thread that has the turn may take it again.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// Who has the turn, and how often.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<Option<(ThreadId, usize)>>,
    free: Condvar,
}

/// The turn of this thread, until it is dropped.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits until no other thread has the turn.
    pub(super) fn take(&self) -> Turn<'_> {
        let me = thread::current().id();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &mut *state {
                None => *state = Some((me, 1)),
                Some((owner, times)) if *owner == me => *times += 1,
                Some(_) => {
                    state = self.free.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
            }
            return Turn(self);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.take().filter(|(_, times)| *times > 1).map(|(owner, times)| (owner, times - 1));
        if state.is_none() {
            self.0.free.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_thread_at_a_time_has_the_turn_and_may_take_it_again() {
        let (turns, inside) = (Turns::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _turn = turns.take();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        let _again = turns.take();
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
