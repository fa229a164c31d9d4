//! The simulator as a module of Python, `esnsim._esnsim`.
//!
//! This crate passes requests on and results back: figures leave as the JSON and CSV that the command writes, so that they are
//! the same to the last digit. What a user sees, the package in `python/`, makes objects and tables of them. Work runs without
//! the interpreter's lock.

mod answers;
mod arrow;
mod errors;
mod gain;
mod many;
mod mend;
mod network;
mod options;
mod plan;
mod proxies;
mod run;
mod store;
mod stream;
mod work;

use pyo3::prelude::*;

/// The module.
#[pymodule]
mod _esnsim {
    #[pymodule_export]
    use crate::answers::Evaluation;
    #[pymodule_export]
    use crate::arrow::arrow_stream;
    #[pymodule_export]
    use crate::errors::{BadArgument, Error, InvalidFile, OutOfLimits, OwnBug, ReadWrite, Unsupported, WorkerLost};
    #[pymodule_export]
    use crate::gain::compare;
    #[pymodule_export]
    use crate::many::{
        keep_pace, landscape, merge, new, pareto, shared_file_system, slurm_shard, sweep, sweep_status, upgrade,
    };
    #[pymodule_export]
    use crate::network::{Compressed, Network, hardware, open, restore};
    #[pymodule_export]
    use crate::plan::OpenPlan;
    #[pymodule_export]
    use crate::proxies::{Subject, proxies};
    #[pymodule_export]
    use crate::run::Run;
    #[pymodule_export]
    use crate::store::{LockedStore, costs_of};

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
