//! Many runs: sweeps over networks, compressions and hardware, the store of their results, and what is read off them.
//!
//! [`sweep`] runs every point of a plan and keeps each result in a [`store`], one SQLite file that outlives a kill.
//! [`pareto`] finds which points of a store no other beats in cost and accuracy. [`landscape`] runs one synthetic layer in
//! many forms on every hardware. Nothing here writes a table or a figure: the crate `report` does.

mod error;
pub mod landscape;
pub mod pareto;
pub mod store;
pub mod sweep;

pub use error::ExploreError;
