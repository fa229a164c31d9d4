//! The suites of this crate, one question each, in one binary.

mod closed_form;
mod common;
mod departures;
mod noise;
mod stepped;
mod view;
