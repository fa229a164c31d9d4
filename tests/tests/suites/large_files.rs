//! Does a file that is larger than what a process may take stay outside of it?

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use esnsim_tests::binary;
use network::{DataType, Tensor};
use testkit::check_all;

/// Peak memory that the metric may take, whatever the size of the file.
const BOUND_KIB: u64 = 300 << 10;

/// Peak memory that the costs of ResNet-50 may take.
const COSTS_KIB: u64 = 80 << 10;

/// Writes safetensors of so many tensors of 8192 × 8192 float32 (256 MiB), zero (and sparse on the disk) but for two
/// weights in each.
fn write(path: &Path, tensors: u64) {
    const SIZE: u64 = 4 << 26;
    let entry = |i: u64| {
        let (start, end) = (i * SIZE, (i + 1) * SIZE);
        format!(r#""w{i}":{{"dtype":"F32","shape":[8192,8192],"data_offsets":[{start},{end}]}}"#)
    };
    let header = format!("{{{}}}", (0..tensors).map(entry).collect::<Vec<_>>().join(","));
    let mut file = File::create(path).expect("writable");
    file.write_all(&(header.len() as u64).to_le_bytes()).expect("writable");
    file.write_all(header.as_bytes()).expect("writable");
    let data = 8 + header.len() as u64;
    file.set_len(data + tensors * SIZE).expect("a sparse file can be made");
    for i in 0..tensors {
        for (index, weight) in [(5, 1.0f32), (8192 * 77 + 6, -0.5)] {
            file.seek(SeekFrom::Start(data + i * SIZE + 4 * index)).expect("it is a file");
            file.write_all(&weight.to_le_bytes()).expect("writable");
        }
    }
}

/// Runs a command that writes `out.csv`, and returns the file and the largest VmHWM that was seen, in KiB.
fn run(folder: &Path, command: &[&str], threads: &str) -> (String, u64) {
    let mut child = Command::new(binary())
        .args(command)
        .args(["--threads", threads, "--csv", "out.csv"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("it is a child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().expect("it is a child").success(), "{command:?}");
    (fs::read_to_string(folder.join("out.csv")).expect("the run wrote it"), peak)
}

/// 512 MiB always, `ESNSIM_LARGE_FILE=1` makes them 4 GiB.
#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tensors = if std::env::var_os("ESNSIM_LARGE_FILE").is_some() { 16 } else { 2 };
    write(&folder.path().join("BIG.safetensors"), tensors);
    let esn = |threads| run(folder.path(), &["esn", "BIG.safetensors"], threads);
    let ((one, peak_one), (two, peak_two)) = (esn("1"), esn("2"));
    assert_eq!(one, two, "results do not depend on the number of threads");
    // 1 is code 15 at 4 bits, -0.5 is code -7: 15² + 7² = 274 quarters.
    assert_eq!(one.matches(",68.5,").count() as u64, tensors * 2, "{one}");
    let peak = peak_one.max(peak_two);
    println!("peak memory {peak} KiB");
    assert!(peak < BOUND_KIB, "{peak} KiB");
}

/// ResNet-50 has 97 MiB of weights. At any number of threads its costs take less, with engines and without, and are the
/// same bytes.
#[test]
fn memory_of_costs_does_not_grow_with_network_or_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new(binary())
        .args(["new", "resnet50", "--output", "NET.onnx"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .status();
    assert!(made.expect("it runs").success());
    let commands: [&[&str]; 2] = [
        &["esn", "NET.onnx", "--bits", "4"],
        &["simulate", "NET.onnx", "--bits", "4", "--hardware", "ideal", "--json", "out.json"],
    ];
    check_all(commands, |command| {
        let files = |threads| {
            let (csv, peak) = run(folder.path(), command, threads);
            println!("{command:?}, {threads} threads: peak memory {peak} KiB");
            assert!(peak < COSTS_KIB, "{threads} threads: {peak} KiB");
            (csv, fs::read(folder.path().join("out.json")).ok())
        };
        let one = files("1");
        check_all(["2", "8"], |threads| assert!(files(threads) == one, "{threads} threads give other files"));
    });
}

/// Numbers that half precision has are the same network in any of the three types.
#[test]
fn halves_cost_what_the_same_numbers_cost_in_single_precision() {
    let shapes = [[40, 700], [3, 5000], [64, 64]];
    // Seven significant bits at most, zeros among them.
    let number = |index: usize| ((index * 7919) % 255) as f64 / 64.0 - 127.0 / 64.0;
    let file = |name: &str, data_type| {
        let (mut header, mut data) = (Vec::new(), Vec::new());
        for (layer, [filters, len]) in shapes.into_iter().enumerate() {
            let numbers: Vec<f64> = (0..filters * len).map(number).collect();
            let start = data.len();
            data.extend(Tensor::from_reals(data_type, vec![filters, len], &numbers).chunks.concat());
            let end = data.len();
            header.push(format!(
                r#""w{layer}":{{"dtype":"{name}","shape":[{filters},{len}],"data_offsets":[{start},{end}]}}"#
            ));
        }
        let header = format!("{{{}}}", header.join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data.as_slice()].concat()
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let costs = |bytes: Vec<u8>| {
        fs::write(folder.path().join("W.safetensors"), bytes).expect("writable");
        let commands: [&[&str]; 2] = [
            &["esn", "W.safetensors", "--bits", "5"],
            &["simulate", "W.safetensors", "--bits", "5", "--hardware", "ideal"],
        ];
        commands.map(|command| run(folder.path(), command, "2").0)
    };
    let single = costs(file("F32", DataType::F32));
    assert!(single[0].lines().count() > shapes.len(), "{}", single[0]);
    assert_eq!(costs(file("BF16", DataType::Bf16)), single);
    assert_eq!(costs(file("F16", DataType::F16)), single);
}
