//! What the suites of the whole share: damaged copies of files and a second reading of them, hardware descriptions, recorded
//! outputs of other programs, and a way to run the `esnsim` command. What the crates' own suites need too is in `testkit`.

mod command;
pub mod executors;
pub mod fuzz;
pub mod garble;
mod hardware;
pub mod independent;
mod recorded;

pub use command::{assert_refused, binary, esnsim, refused_in, repository, run_in};
pub use hardware::{analog_toml, digital_toml, hardware};
pub use recorded::Recorded;

/// The files of `reference/NAME`, a list of objects with a file in hexadecimal.
fn hexadecimal_files(name: &str) -> Vec<Vec<u8>> {
    let text =
        std::fs::read_to_string(repository(&format!("tests/reference/{name}"))).expect("it is in the repository");
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).expect("valid JSON");
    cases.iter().map(recorded::file).collect()
}

/// Small files of weights that Keras saved, in every form.
pub fn keras_files() -> Vec<Vec<u8>> {
    hexadecimal_files("keras-weights.json")
}

/// Small archives of `torch.export`.
pub fn exported_files() -> Vec<Vec<u8>> {
    [hexadecimal_files("exported-programs.json"), hexadecimal_files("exported-recurrent.json")].concat()
}

/// Small TFLite files, one for each operator.
pub fn tflite_files() -> Vec<Vec<u8>> {
    [hexadecimal_files("tflite-operators.json"), hexadecimal_files("tflite-recurrent.json")].concat()
}

/// Pictures of every kind.
pub fn picture_files() -> Vec<Vec<u8>> {
    hexadecimal_files("pictures.json")
}
