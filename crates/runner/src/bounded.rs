//! Work in parallel that takes no more memory than it may.

use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::ScopeFifo;

/// Runs `work` on the places `0..sizes.len()` and returns what it found, in order. What is at work at any time has sizes
/// of at most `bound` together, or is alone. Work begins in order.
///
/// Nobody waits for memory: who is done begins what there is room for. So no thread is kept from anything that another one
/// waits for, whatever `work` itself does in parallel.
pub(crate) fn in_parallel<T: Send + Sync>(sizes: &[usize], bound: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let found: Vec<OnceLock<T>> = sizes.iter().map(|_| OnceLock::new()).collect();
    let queue = Queue { sizes, bound, state: Mutex::default() };
    let work = |place: usize| drop(found[place].set(work(place)));
    rayon::scope_fifo(|scope| queue.begin(scope, &work));
    found.into_iter().map(|found| found.into_inner().expect("the scope ends when all work is done")).collect()
}

struct Queue<'a> {
    sizes: &'a [usize],
    bound: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What begins next.
    next: usize,
    /// How much is at work.
    working: usize,
    /// Its sizes.
    taken: usize,
}

impl Queue<'_> {
    /// Begins what there is room for. Work that panics ends the queue, for nobody begins anything in its place.
    fn begin<'s>(&'s self, scope: &ScopeFifo<'s>, work: &'s (impl Fn(usize) + Sync)) {
        while let Some(place) = self.take() {
            scope.spawn_fifo(move |scope| {
                work(place);
                self.give_back(place);
                self.begin(scope, work);
            });
        }
    }

    /// The next place, where there is one and room for it.
    fn take(&self) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let size = *self.sizes.get(state.next)?;
        let fits = state.taken.saturating_add(size) <= self.bound;
        (fits || state.working == 0).then(|| {
            state.working += 1;
            state.taken += size;
            state.next += 1;
            state.next - 1
        })
    }

    fn give_back(&self, place: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.working -= 1;
        state.taken -= self.sizes[place];
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use rayon::prelude::*;
    use testkit::check_all;

    use super::*;

    /// Work that is itself parallel, on any number of threads, keeps to the bound and to the order of its results.
    #[test]
    fn what_is_at_work_fits_the_bound_or_is_alone() {
        const BOUND: usize = 10;
        let sizes: Vec<usize> = (0..200).map(|place| [1, 4, 0, 9, 30, 2][place % 6]).collect();
        check_all([1, 2, 8], |&threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            let at_work = AtomicUsize::new(0);
            let work = |place: usize| {
                let before = at_work.fetch_add(sizes[place], Ordering::SeqCst);
                assert!(before + sizes[place] <= BOUND || before == 0, "{before} and {}", sizes[place]);
                let sum: usize = (0..64).into_par_iter().map(|part| part * place).sum();
                at_work.fetch_sub(sizes[place], Ordering::SeqCst);
                sum
            };
            let found = pool.install(|| in_parallel(&sizes, BOUND, work));
            let expected: Vec<usize> = (0..sizes.len()).map(|place| 63 * 32 * place).collect();
            assert_eq!(found, expected, "{threads} threads");
        });
        assert!(in_parallel(&[], BOUND, |place| place).is_empty());
    }

    /// What is larger than the bound waits for work of size 0, too.
    #[test]
    fn alone_is_beside_nothing_at_all() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads start");
        let has_begun = AtomicBool::new(false);
        // The first is at work for as long as the second could take to begin beside it.
        let work = |place: usize| {
            let end = Instant::now() + Duration::from_millis(100);
            has_begun.fetch_or(place == 1, Ordering::SeqCst);
            while place == 0 && !has_begun.load(Ordering::SeqCst) && Instant::now() < end {
                std::thread::yield_now();
            }
            has_begun.load(Ordering::SeqCst)
        };
        assert_eq!(pool.install(|| in_parallel(&[0, 30], 10, work)), [false, true]);
    }

    #[test]
    #[should_panic(expected = "the fourth")]
    fn work_that_panics_ends_the_queue() {
        in_parallel(&[1; 100], 1, |place| assert!(place < 3, "the fourth"));
    }
}
