//! Work of the library beside the interpreter: it goes on meanwhile, is told how far the work is, and can stop it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use esnsim::{Error, Progress, Stage};
use inference::{Sample, SampleError, Samples};
use pyo3::prelude::*;

use crate::errors::{bad_argument, raised};

/// How long a signal waits at most, and how often progress is told.
const EVERY: Duration = Duration::from_millis(20);

/// What unwinds a work that was stopped.
struct Stopped;

/// How far a work is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    stage: &'static str,
    done: u64,
    total: u64,
}

/// What the work and the interpreter tell each other.
#[derive(Default)]
pub(crate) struct Watch {
    place: Mutex<Option<Place>>,
    is_stopped: AtomicBool,
    is_over: Mutex<bool>,
    over: Condvar,
}

impl Watch {
    /// So many points of a sweep are done.
    pub fn points(&self, done: u64, total: u64) {
        self.told("points", done, total);
    }

    /// So many of all are done.
    pub fn told(&self, stage: &'static str, done: u64, total: u64) {
        self.check();
        *self.place() = Some(Place { stage, done, total });
    }

    /// Leaves the work if it was stopped.
    pub fn check(&self) {
        if self.is_stopped.load(Ordering::Relaxed) {
            resume_unwind(Box::new(Stopped));
        }
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        // What it holds is whole at any time.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.notify_all();
    }

    /// Waits for the end of the work, a short time at most, and says whether it is over.
    fn wait(&self) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        *self.over.wait_timeout_while(is_over, EVERY, |over| !*over).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Progress for Watch {
    fn begin(&self, stage: Stage, total: u64) {
        self.check();
        *self.place() = Some(Place { stage: stage.name(), done: 0, total });
    }

    fn advance(&self, count: u64) {
        self.check();
        if let Some(place) = self.place().as_mut() {
            place.done += count;
        }
    }

    fn check(&self) {
        Watch::check(self);
    }

    fn end(&self, _: Stage, done: u64) {
        if let Some(place) = self.place().as_mut() {
            (place.done, place.total) = (done, done);
        }
    }
}

/// Images that a stopped work reads, and looks at, no further.
pub(crate) struct Watched<'a> {
    pub samples: &'a dyn Samples,
    pub watch: &'a Watch,
}

impl Samples for Watched<'_> {
    fn len(&self) -> usize {
        // Asked of every batch that advances by a node, where images were read long before.
        self.watch.check();
        self.samples.len()
    }

    fn sample(&self, index: usize) -> Result<Sample, SampleError> {
        self.watch.check();
        self.samples.sample(index)
    }
}

/// Works on so many threads, without the interpreter's lock. `progress` is called as `progress(stage, done, total)`. A signal, as
/// of Ctrl-C, and an exception of `progress` stop the work.
pub(crate) fn on_threads<T: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Watch) -> Result<T, Error> + Send,
) -> PyResult<T> {
    if threads == Some(0) {
        return Err(bad_argument("threads is 0; expected at least 1".to_string()));
    }
    let watch = Watch::default();
    let mut stopped: Option<PyErr> = None;
    let done = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let done = catch_unwind(AssertUnwindSafe(|| esnsim::on_threads(threads, || work(&watch))));
            watch.finish();
            done
        });
        let mut told = None;
        loop {
            let is_over = py.detach(|| watch.wait());
            if stopped.is_none() {
                stopped = py.check_signals().and_then(|()| tell(&watch, progress, &mut told)).err();
                watch.is_stopped.store(stopped.is_some(), Ordering::Relaxed);
            }
            if is_over {
                return worker.join().unwrap_or_else(Err);
            }
        }
    });
    match (stopped, done) {
        (Some(stopped), _) => Err(stopped),
        (None, Ok(done)) => done.and_then(|done| done).map_err(|error| raised(&error)),
        (None, Err(panic)) => resume_unwind(panic as Box<dyn Any + Send>),
    }
}

/// Tells how far the work is, where that is new.
fn tell(watch: &Watch, progress: Option<&Bound<'_, PyAny>>, told: &mut Option<Place>) -> PyResult<()> {
    let place = *watch.place();
    if let (Some(progress), Some(Place { stage, done, total })) = (progress, place)
        && *told != place
    {
        *told = place;
        progress.call1((stage, done, total))?;
    }
    Ok(())
}
