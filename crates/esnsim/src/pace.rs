//! How long the points of a sweep take, kept beside its store. No result depends on it. The clock is the front end's.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use report::WholeFile;
use report::text::counted;

/// How often a sweep that runs writes down how far it came.
const EVERY: Duration = Duration::from_secs(5);

/// Points that ran, and how long that took: those of the last sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    points: u64,
    seconds: f64,
}

impl Pace {
    /// What the last sweep into a store wrote down; none where there is nothing that can be read.
    pub fn read(store: &Path) -> Option<Self> {
        let text = fs::read_to_string(beside(store)).ok()?;
        let (points, seconds) = text.trim().strip_suffix(" s")?.split_once(" points in ")?;
        Self::new(points.parse().ok()?, seconds.parse().ok()?)
    }

    /// So many points, at least one, that ran in so many seconds.
    pub fn new(points: u64, seconds: f64) -> Option<Self> {
        (points > 0 && seconds >= 0.0 && seconds.is_finite()).then_some(Self { points, seconds })
    }

    /// How long so many points take, in words.
    pub fn remaining(self, points: usize) -> String {
        duration(self.remaining_seconds(points))
    }

    /// How many seconds so many points take.
    pub fn remaining_seconds(self, points: usize) -> f64 {
        self.seconds / self.points as f64 * points as f64
    }

    /// Writes it beside a store. A pace that cannot be written is missed by nobody.
    pub fn write(self, store: &Path) {
        let Ok(mut file) = WholeFile::create(&beside(store)) else { return };
        if writeln!(file, "{} points in {:.3} s", self.points, self.seconds).is_ok() {
            _ = file.complete();
        }
    }
}

/// The file beside a store.
fn beside(store: &Path) -> PathBuf {
    store.with_added_extension("pace")
}

/// A length of time for people: `3 h 20 min`, `4 min 5 s`, `12 s`.
fn duration(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    match (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{} {hours} h", counted(days.into(), "day")),
    }
}

/// Writes down how fast a sweep is while it runs.
pub struct Pacer<'a> {
    store: &'a Path,
    started: Mutex<Option<(Instant, Instant)>>,
}

impl<'a> Pacer<'a> {
    /// A pacer of a sweep into this store.
    pub fn new(store: &'a Path) -> Self {
        Self { store, started: Mutex::new(None) }
    }

    /// So many points of this sweep have run by `now`; `to_do` of them were to. The first call, with none, says when it began.
    pub fn point(&self, done: usize, to_do: usize, now: Instant) {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = started.get_or_insert((now, now));
        if done > 0 && (done == to_do || now - *last >= EVERY) {
            *last = now;
            Pace { points: done as u64, seconds: (now - *first).as_secs_f64() }.write(self.store);
        }
    }

    /// The sweep was stopped when so many points had run.
    pub fn stop(&self, done: usize, now: Instant) {
        self.point(done, done, now);
    }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn what_is_written_down_is_read_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = folder.path().join("runs.sqlite");
        assert_eq!(Pace::read(&store), None);
        Pace { points: 40, seconds: 12.5 }.write(&store);
        let pace = Pace::read(&store).expect("it was written");
        assert_eq!(pace, Pace { points: 40, seconds: 12.5 });
        assert_eq!(pace.remaining(80), "25 s");
        for wrong in ["", "0 points in 3 s", "forty points in 3 s"] {
            fs::write(beside(&store), wrong).expect("a temporary folder is writable");
            assert_eq!(Pace::read(&store), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_sweep_that_goes_on_or_is_stopped_writes_down_how_fast_it_was() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = folder.path().join("runs.sqlite");
        let pacer = Pacer::new(&store);
        let began = Instant::now();
        let after = |seconds: u64| began + Duration::from_secs(seconds);
        pacer.point(0, 90, began);
        pacer.point(4, 90, after(2));
        assert_eq!(Pace::read(&store), None, "a pace of two seconds says little");
        pacer.point(20, 90, after(5));
        assert_eq!(Pace::read(&store), Some(Pace { points: 20, seconds: 5.0 }));
        pacer.stop(28, after(7));
        assert_eq!(Pace::read(&store), Some(Pace { points: 28, seconds: 7.0 }));
    }

    #[test]
    fn times_are_told_in_two_units_at_most() {
        let cases = [
            (0.2, "1 s"),
            (59.0, "59 s"),
            (61.0, "1 min 1 s"),
            (7_260.0, "2 h 1 min"),
            (90_000.0, "1 day 1 h"),
            (180_000.0, "2 days 2 h"),
        ];
        check_all(cases, |&(seconds, expected)| assert_eq!(duration(seconds), expected));
    }
}
