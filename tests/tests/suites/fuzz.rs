//! Does any input do more to a reader than be read or refused?
//!
//! The seeds, what fuzzing found before (`tests/fuzz/findings`), and the same damaged copies of them on every run. Longer
//! runs, led by coverage, are those of cargo-fuzz: `tests/fuzz/README.md`.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use esnsim_tests::fuzz::{Random, TARGETS, Target, mutate, mutate_structure, seeds, target};
use runner::Hardware;
use testkit::check_all;

/// Damaged copies by target: what takes a few seconds each. `ESNSIM_FUZZ_COPIES` is another number.
const COPIES: usize = 2000;
/// A single input may take so long, and is reported if it takes longer.
const SLOW: Duration = Duration::from_secs(10);

/// What fuzzing found before.
fn findings(target: Target) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/findings").join(target.name);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

/// Runs one input; what it is, where it fails.
fn run(target: Target, what: &str, bytes: &[u8]) -> Option<String> {
    let started = Instant::now();
    let outcome = catch_unwind(|| (target.run)(bytes));
    let took = started.elapsed();
    match outcome {
        Ok(()) if took <= SLOW => None,
        Ok(()) => Some(format!("{what} takes {took:?}")),
        Err(_) => {
            let path = std::env::temp_dir().join(format!("esnsim-fuzz-{}", target.name));
            std::fs::write(&path, bytes).expect("writable");
            Some(format!("{what} panics; it is in {}", path.display()))
        }
    }
}

/// A seed that is refused reaches nothing behind the parser.
#[test]
fn seeds_of_hardware_are_hardware() {
    let texts = seeds("hardware").into_iter().map(|seed| String::from_utf8(seed).expect("a description is text"));
    check_all(texts, |text| {
        if let Err(error) = Hardware::parse(Path::new("seed.toml"), text) {
            panic!("{error}");
        }
    });
}

fn run_all(name: &str) {
    let target = target(name);
    let (seeds, found) = (seeds(name), findings(target));
    assert!(!seeds.is_empty(), "{name} has no seed");
    let mut problems = Vec::new();
    for (index, input) in seeds.iter().chain(&found).enumerate() {
        problems.extend(run(target, &format!("input {index}"), input));
    }
    let inputs: Vec<&Vec<u8>> = seeds.iter().chain(&found).collect();
    let copies = std::env::var("ESNSIM_FUZZ_COPIES").ok().and_then(|n| n.parse().ok()).unwrap_or(COPIES);
    let mut random = Random::new(copies as u64);
    for copy in 0..copies {
        let (input, other) = (inputs[random.below(inputs.len())], inputs[random.below(inputs.len())]);
        let bytes = (copy % 2 == 0).then(|| mutate_structure(name, input, &mut random)).flatten();
        let bytes = bytes.unwrap_or_else(|| mutate(input, other, &mut random));
        problems.extend(run(target, &format!("copy {copy}"), &bytes));
    }
    assert!(problems.is_empty(), "{name}: {} of {copies}:\n{}", problems.len(), problems.join("\n"));
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            run_all(stringify!($name));
        })*

        #[test]
        fn every_target_has_a_test() {
            let tested = [$(stringify!($name)),*];
            assert!(TARGETS.iter().map(|target| target.name).eq(tested), "{tested:?}");
        }
    };
}

targets!(
    onnx,
    external,
    exported,
    tflite,
    safetensors,
    index,
    torch,
    keras,
    arrays,
    topology,
    hardware,
    preprocessing,
    plan,
    cifar,
    npy,
    npz,
    manifest,
    picture,
    dataset
);
