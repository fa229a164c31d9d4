//! What does a damaged network file do? It is refused in one line, or read as what it is: no crash, no endless work, no
//! plausible wrong number.
//!
//! The copies are damaged at fixed places. Where one is still accepted, its figures must be those of a second, independent
//! reading of the same bytes.

#![cfg(unix)]

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use assert_cmd::Command;
use bytes::Bytes;
use esn::BitConvention;
use esnsim_tests::garble::{self, Garbled};
use esnsim_tests::independent::{Totals, totals};
use esnsim_tests::{binary, repository};
use formats::ReadOptions;
use network::NetworkError;
use runner::{CostPlan, DEFAULT_BITS, NetworkCost, Quantization, RunnerError, cost};
use testkit::shared;

/// A damaged file may take so long and no longer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What is done with a damaged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// `esn`: its figures are compared.
    Cost,
    /// `simulate` on two of the embedded images.
    Inference,
}

/// Runs the command in 4 GB of address space, so that a file that asks for more ends the run.
fn run_bounded(work: Work, file: &Path, csv: &Path) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\""]).arg(binary());
    match work {
        Work::Cost => shell.arg("esn"),
        Work::Inference => {
            let images = repository("traces/digits-test.npz");
            shell.args(["simulate", "--limit", "2", "--scale", "16", "--images"]).arg(images)
        }
    };
    shell.args(["--threads", "2", "--csv"]).args([csv, file]);
    shell.timeout(TIMEOUT).output().expect("a shell runs")
}

/// Whether a file was accepted and, if so, whether it could be compared; an error where either went wrong.
fn verdict(work: Work, garbled: &Garbled, output: &Output, csv: &Path) -> Result<Option<bool>, String> {
    let stderr = String::from_utf8(output.stderr.clone()).map_err(|_| "stderr is no text")?;
    let (errors, others): (Vec<&str>, Vec<&str>) = stderr.lines().partition(|line| line.starts_with("error: "));
    let orderly = |line: &str| line.starts_with("note: ") || line.contains(" images in ");
    if let Some(line) = others.iter().find(|line| !orderly(line)) {
        return Err(format!("a line that is neither error nor note: {line}"));
    }
    if stderr.chars().any(|c| c.is_control() && c != '\n') {
        return Err(format!("control characters on stderr: {stderr:?}"));
    }
    match (output.status.code(), errors.len(), csv.exists()) {
        (Some(2), 1, false) => Ok(None),
        // Costs are known even where inference is not possible.
        (Some(2), 1, true) | (Some(0), 0, true) if work == Work::Inference => Ok(Some(false)),
        (Some(0), 0, true) => compare(read_total(csv), totals(&garbled.bytes, DEFAULT_BITS)).map(Some),
        (code, errors, csv) => Err(format!("exit code {code:?}, {errors} errors, CSV written: {csv}\n{stderr}")),
    }
}

/// Whether the second reading could tell; an error where it tells another number.
fn compare(found: Totals, expected: Option<Totals>) -> Result<bool, String> {
    match expected {
        Some(expected) if expected != found => Err(format!("{found:?}, not {expected:?}")),
        expected => Ok(expected.is_some()),
    }
}

fn read_total(path: &Path) -> Totals {
    let mut csv = csv::Reader::from_path(path).expect("it was written");
    let rows: Vec<csv::StringRecord> = csv.records().map(|row| row.expect("valid CSV")).collect();
    let total = rows.last().expect("there is a row TOTAL");
    let int = |column: usize| total[column].parse().expect("counts are integers");
    let quarters = total[5].parse::<f64>().expect("ESN_a is a decimal") * 4.0;
    Totals { layers: rows.len() - 1, weights: int(2), nonzero: int(3), quarters: quarters as u128 }
}

/// Runs every file through the command, two at a time. Of the accepted ones, at least `least` must have been compared.
fn run_all(work: Work, files: &[Garbled], least: usize) {
    binary();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (accepted, compared) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let check = |index: usize| {
        let (file, csv) = (folder.path().join(format!("{index}.onnx")), folder.path().join(format!("{index}.csv")));
        std::fs::write(&file, &files[index].bytes).expect("writable");
        let output = run_bounded(work, &file, &csv);
        let result = verdict(work, &files[index], &output, &csv);
        std::fs::remove_file(&file).expect("it was written above");
        accepted.fetch_add(usize::from(matches!(result, Ok(Some(_)))), Ordering::Relaxed);
        compared.fetch_add(usize::from(matches!(result, Ok(Some(true)))), Ordering::Relaxed);
        result.err().map(|problem| format!("{}: {problem}", files[index].what))
    };
    let half = |start: usize| (start..files.len()).step_by(2).filter_map(check).collect::<Vec<String>>();
    let problems = thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        [half(0), other.join().expect("no worker panics")].concat()
    });
    let (accepted, compared) = (accepted.into_inner(), compared.into_inner());
    eprintln!("{} damaged files: {accepted} accepted, {compared} of them compared", files.len());
    assert!(problems.is_empty(), "{} of {} files:\n{}", problems.len(), files.len(), problems.join("\n"));
    assert!(compared >= least, "only {compared} were compared");
}

fn costs(file: &Garbled) -> Result<NetworkCost, Box<RunnerError>> {
    let bytes = Bytes::from(file.bytes.clone());
    let network = formats::from_bytes("damaged.onnx", bytes, &ReadOptions::default()).map_err(RunnerError::from)?;
    let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
    Ok(cost(&CostPlan { network: &network, hardware: &[], quantization, convention })?)
}

/// Reads every file in this process.
fn read_all(files: &[Garbled]) {
    let mut problems = Vec::new();
    for file in files {
        match costs(file) {
            Err(error) => {
                let expected = matches!(
                    *error,
                    RunnerError::Network(NetworkError::Invalid { .. } | NetworkError::Unsupported { .. })
                );
                if !expected {
                    problems.push(format!("{}: an error of another kind: {error}", file.what));
                }
            }
            Ok(cost) => {
                let esn = &cost.esn;
                let found = Totals {
                    layers: cost.layers.len(),
                    weights: esn.weights,
                    nonzero: esn.nonzero,
                    quarters: esn.esn_a_quarters,
                };
                if let Err(problem) = compare(found, totals(&file.bytes, DEFAULT_BITS)) {
                    problems.push(format!("{}: {problem}", file.what));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{} of {} files:\n{}", problems.len(), files.len(), problems.join("\n"));
}

fn embedded() -> Vec<u8> {
    std::fs::read(repository("traces/digits-resnet.onnx")).expect("it is in the repository")
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let accepted = garble::truncated(&embedded(), 200).into_iter().filter(|file| costs(file).is_ok());
    assert_eq!(accepted.map(|file| file.what).collect::<Vec<_>>(), [] as [String; 0], "these are accepted");
    run_all(Work::Cost, &garble::truncated(&embedded(), 20), 0);
}

#[test]
fn flipped_bits_are_refused_or_counted() {
    let file = embedded();
    run_all(Work::Cost, &garble::flipped(&file, 40, true), 30);
    run_all(Work::Cost, &garble::flipped(&file, 60, false), 5);
    read_all(&garble::flipped(&file, 300, true));
    read_all(&garble::flipped(&file, 600, false));
}

#[test]
fn overwritten_missing_and_repeated_bytes_are_refused_or_counted() {
    let file = embedded();
    run_all(Work::Cost, &garble::rewritten(&file, 60), 0);
    read_all(&garble::rewritten(&file, 600));
}

#[test]
fn contradictions_are_refused_or_counted() {
    run_all(Work::Cost, &garble::edited(&embedded()), 30);
}

#[test]
fn a_real_file_stands_no_more_damage() {
    let Some(path) = shared("models/resnet20-cifar10-bn.onnx") else { return };
    let file = std::fs::read(path).expect("it is readable");
    let mut files = garble::flipped(&file, 100, false);
    files.extend(garble::rewritten(&file, 100));
    read_all(&files);
    run_all(Work::Cost, &garble::edited(&file), 30);
}

#[test]
fn inference_on_a_damaged_file_ends_in_order() {
    let file = embedded();
    run_all(Work::Inference, &garble::edited(&file), 0);
    run_all(Work::Inference, &garble::flipped(&file, 60, true), 0);
}

/// The second reading knows no quantized weights, so that this is about the end of the run alone.
#[test]
fn a_damaged_quantized_file_is_read_to_an_end() {
    let Some(path) = shared("models/resnet20-cifar10-int8-qdq-perchannel.onnx") else { return };
    let file = std::fs::read(path).expect("it is readable");
    read_all(&garble::flipped(&file, 300, false));
    read_all(&garble::rewritten(&file, 300));
    read_all(&garble::edited(&file));
}
