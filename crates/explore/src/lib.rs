//! Many runs: which network, compression and hardware give the most accuracy for the least cost?
//!
//! [`sweep::sweep`] runs every point of a plan and keeps each result in a [`store::Store`], one SQLite file. A
//! [`sweep::OpenPlan`] does so for points that are asked for one after another. [`pareto`] finds the points of a store that
//! no other beats in cost and accuracy. [`landscape`] runs one synthetic layer in many forms on every hardware.
//!
//! ```
//! use explore::PointKey;
//! use explore::pareto::{CostValue, Fraction, Frontier};
//!
//! // Three points of a sweep: what each costs, and how many of 500 images it names right.
//! let mut frontier = Frontier::default();
//! for (number, (cost, count)) in [(40_000, 480), (10_000, 455), (20_000, 450)].into_iter().enumerate() {
//!     frontier.add(PointKey([number as u8; 16]), CostValue::Count(cost), Fraction { count, of: 500 });
//! }
//! let on: Vec<u8> = frontier.entries().iter().map(|entry| entry.key.0[0]).collect();
//! assert_eq!(on, [1, 0]);
//! ```
//!
//! The decision behind the crate: the key of a point is a hash of everything that its result depends on, and a row is
//! written whole, within a second after its point is done. A point that has a row is never run again. A point that has
//! none left nothing behind, so that a sweep goes on after a kill, and several processes can share a plan.
//!
//! What is left out: tables and figures, which are the matter of the crate `report`, and every search that is not in
//! the plan.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! error.rs            what can go wrong
//! key.rs              the key of a point: 16 bytes
//! configuration.rs    what the result of a point depends on, and the key made of it
//! store/              rows, and the SQLite file that holds them
//! pareto/             costs and accuracies of rows; the frontier
//! sweep/              plan -> product, sample -> inputs -> points -> ledger, pruned -> point -> open -> running -> sweep
//! proxies/            which number ranks networks as a hardware does
//! landscape/          one synthetic layer on every hardware; knows neither plan nor store
//! ```

#![forbid(unsafe_code)]

mod configuration;
mod error;
mod key;
pub mod landscape;
pub mod pareto;
pub mod proxies;
pub mod store;
pub mod sweep;

pub use error::ExploreError;
pub use key::{NotAKey, PointKey};
