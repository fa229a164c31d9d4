//! What the suites of all crates share, so that each of it is there once: networks put together by hand ([`Net`]), ONNX files
//! ([`Model`]), files of image data sets ([`tar`], [`idx`], [`cifar_batch`]), numbers that look random and are the same on every machine ([`Random`]), a convolution by the plainest loops
//! ([`products`]), tables of cases ([`check_all`]), an observer of stepped machines ([`Watch`]), and files and programs that
//! a machine may lack ([`shared`], [`tool`]).
//!
//! Crates take it as a development dependency alone. It knows the model, its files and the contract of engines; what needs one
//! of the engines or the command stays with the suites that ask about them.

#![forbid(unsafe_code)]

mod absent;
mod convolution;
mod data_sets;
mod net;
mod onnx;
mod random;
mod table;
mod watch;

pub use self::absent::{shared, shared_network, tool};
pub use self::convolution::{geometries, products, small_geometries, sums};
pub use self::data_sets::{cifar_batch, cifar_records, gzip, idx, tar, tar_block, tar_entry, tar_header};
pub use self::net::{Net, chain, layer_of, quantized_weights, real_weights, texts};
pub use self::onnx::{
    Model, bools, float, floats, graph, int, int_list, int8s, int32s, ints, model, raw, string, strings, tensor,
    uint8s, uint16s, value_info,
};
pub use self::random::{Random, reals, weights};
pub use self::table::check_all;
pub use self::watch::{Seen, Watch};
