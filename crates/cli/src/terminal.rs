//! What a user sees beside results: notes, bars and errors on standard error, results on standard output.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use esnsim::{ImageNote, Progress, Stage};
use indicatif::{ProgressBar, ProgressStyle};
use network::{Mend, Note};
use report::text::{counted, one_line, seconds as time};

use crate::mend::option;

/// Prints to standard output; a reader that has gone away is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Characters of a line of the terminal; none where results go elsewhere.
pub fn width() -> Option<usize> {
    io::stdout()
        .is_terminal()
        .then(terminal_size::terminal_size)
        .flatten()
        .map(|(terminal_size::Width(width), _)| width.into())
}

/// Shows a line about something that was done all the same.
pub fn say(text: &str) {
    eprintln!("note: {}", one_line(text));
}

/// Shows notes of the library, a line each, with the options that change what they tell.
pub fn notes<'a>(notes: impl IntoIterator<Item = &'a Note>) {
    notes.into_iter().for_each(|note| say_with(note, note.mend()));
}

/// Shows what was decided about images, and the options that decide otherwise.
pub fn image_notes<'a>(notes: impl Iterator<Item = &'a ImageNote>) {
    notes.for_each(|decided| say_with(decided, decided.mend()));
}

fn say_with(told: &dyn Display, mend: Option<Mend>) {
    say(&match mend {
        Some(mend) => format!("{told}; {}", option(mend)),
        None => told.to_string(),
    });
}

/// A bar on a terminal, silence in a pipe.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar over `total` of what is counted.
    pub fn new(what: &str, total: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len} {msg} {eta}").expect("the template is valid");
        Self(ProgressBar::new(total).with_style(style).with_message(what.to_string()))
    }

    /// So many more are done.
    pub fn advance(&self, count: u64) {
        self.0.inc(count);
    }

    /// Says a line above the bar.
    pub fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// One bar after another, for the stages of a simulation.
#[derive(Default)]
pub struct Bars(Mutex<Option<(Bar, Instant)>>);

impl Bars {
    fn current(&self) -> MutexGuard<'_, Option<(Bar, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bars {
    fn begin(&self, stage: Stage, total: u64) {
        *self.current() = Some((Bar::new(stage.name(), total), Instant::now()));
    }

    fn advance(&self, count: u64) {
        if let Some((bar, _)) = &*self.current() {
            bar.advance(count);
        }
    }

    fn end(&self, stage: Stage, done: u64) {
        let Some((bar, started)) = self.current().take() else { return };
        bar.finish();
        if stage == Stage::Images {
            let seconds = started.elapsed().as_secs_f64();
            let (images, rate) = (counted(done.into(), "image"), done as f64 / seconds);
            eprintln!("{images} in {}, {rate:.0} a second", time(seconds));
        }
    }
}
