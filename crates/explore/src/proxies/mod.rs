//! Which number ranks networks as a hardware does, without the hardware?
//!
//! The main function is [`compare`]: it holds each of the [`PROXIES`] (parameters, MACs, bit operations, ESN) against energy and
//! latency of each hardware, by Kendall's rank correlation, and tells what a choice by the proxy costs. [`fit`] makes a proxy for
//! one hardware: a weighted sum whose error on networks that it was not fitted to is told beside it.
//!
//! Ranks are made of exact counts, and of energies, which a ledger rounds once, so that equal ones are equal to the last bit.
//! Samples of the bootstrap are the same in every run, at any number of threads. Of fewer than [`FEW_NETWORKS`] there is no rank
//! correlation, whoever asks for it.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! subjects.rs      the networks that are compared
//! tau.rs           rankings, Kendall's τ-b and its interval
//! regret.rs        what a wrong choice costs
//! comparison.rs    every proxy against each hardware
//! fit.rs           a sum fitted to a hardware
//! ```

mod comparison;
mod fit;
mod regret;
mod subjects;
mod tau;

pub use comparison::{Agreement, FEW_NETWORKS, OfHardware, PROXIES, Target, compare};
pub use fit::{Fit, FitError, MOST_TERMS, NoFit, Parts, TERMS, fit};
pub use regret::{Choice, Regret, WITHIN, is_broken, regret};
pub use subjects::{Subject, Subjects};
pub use tau::{Interval, RESAMPLES, Rankings, ranks};
