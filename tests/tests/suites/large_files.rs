//! Does a file that is larger than what a process may take stay outside of it?

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use esnsim_tests::binary;

/// Peak memory that the metric may take, whatever the size of the file.
const BOUND_KIB: u64 = 300 << 10;

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

/// Runs `esn` on the file and returns its CSV and the largest VmHWM that was seen, in KiB.
fn esn(folder: &Path, threads: &str) -> (String, u64) {
    let csv = folder.join("esn.csv");
    let mut child = Command::new(binary())
        .args(["esn", "BIG.safetensors", "--threads", threads, "--csv", "esn.csv"])
        .current_dir(folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("it is a child").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(child.wait().expect("it is a child").success());
    (std::fs::read_to_string(csv).expect("the run wrote it"), peak)
}

/// 512 MiB always, `ESNSIM_LARGE_FILE=1` makes them 4 GiB.
#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tensors = if std::env::var_os("ESNSIM_LARGE_FILE").is_some() { 16 } else { 2 };
    write(&folder.path().join("BIG.safetensors"), tensors);
    let (one, peak_one) = esn(folder.path(), "1");
    let (two, peak_two) = esn(folder.path(), "2");
    assert_eq!(one, two, "results do not depend on the number of threads");
    // 1 is code 15 at 4 bits, -0.5 is code -7: 15² + 7² = 274 quarters.
    assert_eq!(one.matches(",68.5,").count() as u64, tensors * 2, "{one}");
    let peak = peak_one.max(peak_two);
    println!("peak memory {peak} KiB");
    assert!(peak < BOUND_KIB, "{peak} KiB");
}
