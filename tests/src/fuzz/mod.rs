//! What any bytes may do to a reader: nothing but a value or an error of one line.
//!
//! A target hands its bytes to one reader and to all that follows from what was read, within bounds. The targets of
//! `tests/fuzz` and the deterministic run of the suite `fuzz` are the same functions; so are their seeds.

mod mutate;
mod readers;
mod seeds;
mod structure;
mod weights;

pub use mutate::{Random, mutate};
pub use seeds::seeds;
pub use structure::mutate_structure;

/// One reader under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, that of its file under `tests/fuzz/fuzz_targets` and of its folders of inputs.
    pub name: &'static str,
    /// Reads the bytes. Panics where an error is not one line or a value contradicts itself.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 19] = [
    Target { name: "onnx", run: readers::onnx },
    Target { name: "external", run: readers::external },
    Target { name: "exported", run: readers::onnx },
    Target { name: "tflite", run: readers::tflite },
    Target { name: "safetensors", run: weights::in_memory },
    Target { name: "index", run: weights::index },
    Target { name: "torch", run: weights::in_memory },
    Target { name: "keras", run: weights::in_memory },
    Target { name: "arrays", run: weights::in_memory },
    Target { name: "topology", run: weights::topology },
    Target { name: "hardware", run: readers::hardware },
    Target { name: "preprocessing", run: readers::preprocessing },
    Target { name: "plan", run: readers::plan },
    Target { name: "cifar", run: readers::cifar },
    Target { name: "npy", run: readers::npy },
    Target { name: "npz", run: readers::npz },
    Target { name: "manifest", run: readers::manifest },
    Target { name: "picture", run: readers::picture },
    Target { name: "dataset", run: readers::dataset },
];

/// The target of this name.
///
/// # Panics
///
/// If there is none.
pub fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).expect("a target of this name exists")
}
