//! Ctrl-C: work that can go on later is brought to an end, and says how far it came; no other leaves parts of files behind.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The exit code of a process that Ctrl-C ended, as shells have it: 128 and the number of the signal.
pub const EXIT_CODE: u8 = 130;

/// Nothing was done yet that could be kept.
const NOT_BEGUN: u8 = 0;
const AT_WORK: u8 = 1;
const ASKED_TO_STOP: u8 = 2;
/// What could be kept is done; what follows is not.
const OVER: u8 = 3;

/// What unwinds work that was interrupted.
struct Interrupted;

/// Whether somebody pressed Ctrl-C.
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Listens from now on. The first Ctrl-C asks work to stop, where it has begun. Any other ends the process at once.
    ///
    /// Where the process was told to ignore it, as a job of a script in the background is, it still does.
    pub fn listen() -> Self {
        let state = Arc::new(AtomicU8::new(NOT_BEGUN));
        let heard = Arc::clone(&state);
        let handler = move || {
            match heard.swap(ASKED_TO_STOP, Ordering::SeqCst) {
                AT_WORK => return eprintln!("stopping what runs; Ctrl-C again ends it at once"),
                NOT_BEGUN => eprintln!("stopped before anything ran"),
                _ => eprintln!("ended"),
            }
            end();
        };
        // Without it, Ctrl-C does what it does to any process.
        _ = ctrlc::try_set_handler(handler);
        Self(state)
    }

    /// Says that the work is done, so that Ctrl-C ends the process at once from now on; true where it was asked to stop.
    pub fn is_over(&self) -> bool {
        self.0.swap(OVER, Ordering::SeqCst) == ASKED_TO_STOP
    }

    /// Leaves the work if it was asked to stop.
    pub fn check(&self) {
        let began = self.0.compare_exchange(NOT_BEGUN, AT_WORK, Ordering::SeqCst, Ordering::SeqCst);
        if began == Err(ASKED_TO_STOP) {
            resume_unwind(Box::new(Interrupted));
        }
    }
}

/// Ends the process by Ctrl-C, for a command that keeps nothing: files that it is writing do not stay behind half written.
///
/// Where the process was told to ignore it, it still does.
pub fn leave_no_parts() {
    // Without it, Ctrl-C does what it does to any process.
    _ = ctrlc::try_set_handler(end);
}

fn end() {
    report::remove_parts();
    process::exit(EXIT_CODE.into());
}

/// What work came to that may leave by [`Interrupt::check`]; none where it did.
pub fn unless_interrupted<T>(work: impl FnOnce() -> T) -> Option<T> {
    let is_interrupt = |thrown: &(dyn Any + Send)| thrown.is::<Interrupted>();
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Some(done),
        Err(thrown) if is_interrupt(&*thrown) => None,
        Err(thrown) => resume_unwind(thrown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_asked_to_stop_stops_where_it_checks() {
        let interrupt = Interrupt(Arc::new(AtomicU8::new(NOT_BEGUN)));
        let work = || {
            interrupt.check();
            7
        };
        assert_eq!(unless_interrupted(work), Some(7));
        interrupt.0.store(ASKED_TO_STOP, Ordering::SeqCst);
        assert_eq!(unless_interrupted(work), None);
        assert!(interrupt.is_over() && !interrupt.is_over());
        let other = catch_unwind(|| unless_interrupted(|| resume_unwind(Box::new("another reason"))));
        assert_eq!(other.expect_err("it is no interrupt").downcast_ref(), Some(&"another reason"));
    }
}
