//! Results as text for a terminal: headings, plain tables, and numbers as people like to read them.
//!
//! Every function takes results and returns a string of whole lines. None asks whether there is a terminal, and none
//! writes anything.

mod accuracy;
mod cheapest;
mod compression;
mod esn;
mod find_step;
mod frontier;
mod gain;
mod landscape;
mod network;
mod number;
mod proxies;
mod run;
mod summary;
mod table;

pub use accuracy::accuracy;
pub(crate) use accuracy::activations;
pub use cheapest::cheapest_tables;
pub use compression::{allotment_table, pruning_table, quantization_table, totals_table};
pub use esn::{esn_by_layer, esn_side_by_side};
pub use find_step::found_steps;
pub use frontier::frontier_table;
pub(crate) use gain::{cycle_reason, energy_reason, times as gain_factor};
pub use gain::{gain_reasons, gain_table, ideal_lines};
pub use landscape::landscape_table;
pub use network::{layer_table, network_overview, node_list};
pub use number::{counted, fraction, grouped, grouped_quarters, joules, one_line, seconds, short, tail, with_unit};
pub use proxies::proxy_tables;
pub(crate) use proxies::short_name;
pub use run::{
    Layout, costs, hardware_that_comes_along, heading, left_out, marked_name, network_name, quantization_line, stepped,
    synthetic_line,
};
pub(crate) use run::{energy, synthetic_mark};
pub use summary::side_by_side;
