//! Do weights and a topology file cost what the network costs that both come from?

use std::path::Path;

use esnsim_tests::{assert_refused, refused_in, repository, run_in};
use testkit::check_all;

fn succeed(folder: &Path, arguments: &str) -> String {
    let output = run_in(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {stderr}");
    String::from_utf8(output.stdout).expect("output is text")
}

/// The exact totals of `esn`.
fn total(folder: &Path, arguments: &str) -> String {
    let text = succeed(folder, &format!("esn {arguments}"));
    text.lines().find(|line| line.starts_with("TOTAL  ESN_a")).expect("it ends with the totals").to_string()
}

/// `digits.onnx` and `resnet20.onnx`, and the topology of each.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(repository("traces/digits-resnet.onnx"), folder.path().join("digits.onnx")).expect("copied");
    succeed(folder.path(), "new resnet20 --width 0.5 -o resnet20.onnx");
    for name in ["digits", "resnet20"] {
        succeed(folder.path(), &format!("inspect {name}.onnx --topology-csv {name}.csv"));
    }
    folder
}

#[test]
fn weights_with_a_topology_cost_what_the_network_costs() {
    let folder = folder();
    check_all(["digits", "resnet20"], |&name| {
        let expected = total(folder.path(), &format!("{name}.onnx --bits 4"));
        check_all(["safetensors", "npz"], |format| {
            let weights = format!("{name}.{format}");
            succeed(folder.path(), &format!("convert {name}.onnx {weights}"));
            assert_eq!(total(folder.path(), &format!("{weights} --topology {name}.csv --bits 4")), expected);
            succeed(folder.path(), &format!("inspect {weights} --topology {name}.csv --topology-csv again.csv"));
            let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).expect("it was written");
            assert_eq!(read("again.csv"), read(&format!("{name}.csv")));
        });
        let simulated = succeed(folder.path(), &format!("simulate {name}.safetensors --topology {name}.csv"));
        assert_eq!(simulated.matches("PASS: ").count(), 3, "{simulated}");
    });
    let embedded = succeed(folder.path(), "inspect --topology-csv embedded.csv");
    assert!(embedded.contains("10 MAC layers"), "{embedded}");
    assert_eq!(total(folder.path(), "digits.npz --topology embedded.csv"), total(folder.path(), ""));
}

#[test]
fn machines_step_through_weights_with_a_topology() {
    let folder = folder();
    succeed(folder.path(), "convert digits.onnx digits.safetensors");
    let stepped = succeed(folder.path(), "simulate digits.safetensors --topology digits.csv --stepped");
    assert_eq!(stepped.matches("PASS: ").count(), 6, "{stepped}");
}

#[test]
fn integers_go_round_through_every_format() {
    let folder = folder();
    check_all(["mid-rise", "mid-tread"], |&grid| {
        succeed(folder.path(), &format!("compress resnet20.onnx --bits 3 --grid {grid} -o q.onnx"));
        succeed(folder.path(), "convert q.onnx q.safetensors");
        succeed(folder.path(), "convert q.onnx q.npz");
        let expected = total(folder.path(), "q.onnx");
        let files = [
            "q.safetensors --topology resnet20.csv".to_string(),
            format!("q.npz --grid {grid} --topology resnet20.csv"),
        ];
        check_all(files, |weights| {
            assert_eq!(total(folder.path(), weights), expected, "{grid}: {weights}");
            let architecture = weights.replace("topology resnet20.csv", "architecture resnet20");
            assert_eq!(total(folder.path(), &architecture), expected, "{grid}: {architecture}");
        });
        succeed(folder.path(), "convert q.safetensors again.safetensors");
        // The grid goes along from file to file.
        assert_eq!(total(folder.path(), "again.safetensors --topology resnet20.csv"), expected, "{grid}");
        succeed(folder.path(), "convert q.safetensors back.onnx --architecture resnet20");
        assert_eq!(total(folder.path(), "back.onnx"), expected);
    });
}

#[test]
fn half_steps_that_nobody_names_get_a_note() {
    let folder = folder();
    succeed(folder.path(), "compress digits.onnx --bits 3 -o q.onnx");
    succeed(folder.path(), "convert q.onnx q.npz");
    let stderr = |arguments: &str| String::from_utf8(run_in(folder.path(), arguments).stderr).expect("text");
    assert!(stderr("esn q.npz").contains("--grid mid-rise"));
    assert!(!stderr("esn q.npz --grid mid-rise").contains("--grid"));
    succeed(folder.path(), "convert q.onnx q.safetensors");
    assert!(!stderr("esn q.safetensors").contains("--grid"));
    // What the user says stands before what the file says.
    assert_ne!(total(folder.path(), "q.safetensors --grid mid-tread"), total(folder.path(), "q.safetensors"));
}

#[test]
fn a_grid_that_is_none_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let header =
        r#"{"__metadata__":{"esnsim.grid":"hex"},"a.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#;
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
    std::fs::write(folder.path().join("a.safetensors"), file).expect("writable");
    assert!(refused_in(folder.path(), "esn a.safetensors").contains("metadata esnsim.grid is \"hex\""));
}

#[test]
fn a_topology_that_does_not_belong_is_refused() {
    let folder = folder();
    succeed(folder.path(), "convert digits.onnx digits.safetensors");
    let cases = [
        ("esn digits.safetensors --topology resnet20.csv", "rows for 10 tensors of weights"),
        ("esn digits.onnx --topology digits.csv", "it is no weight file"),
        ("esn --topology digits.csv", "esn and simulate draw synthetic ones by --synthetic-weights SEED"),
        ("esn digits.safetensors --topology digits.csv --architecture resnet8", "cannot be used with"),
        ("esn digits.safetensors --topology missing.csv", "missing.csv"),
        ("esn digits.safetensors --topology digits.safetensors", "no text in UTF-8"),
        ("esn digits.safetensors --topology digits.csv --csv digits.csv", "is also an input"),
        ("inspect digits.onnx --topology-csv digits.onnx", "is also an input"),
        ("simulate digits.safetensors --topology digits.csv --images digits.csv", "holds weights without a graph"),
    ];
    assert_refused(folder.path(), &cases);
}

/// Counts that do not fit are an error, and nothing grows with them.
#[test]
fn hostile_sizes_end_in_a_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let header = r#"{"a.weight":{"dtype":"F32","shape":[2,1,1,1],"data_offsets":[0,8]}}"#;
    let weights: Vec<u8> = [1.0f32, -0.5].iter().flat_map(|w| w.to_le_bytes()).collect();
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &weights].concat();
    std::fs::write(folder.path().join("a.safetensors"), file).expect("writable");
    check_all([1u64 << 60, 1 << 61, u64::MAX], |&height| {
        let row = format!(
            "Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,\na,{height},1,1,1,1,2,1,\n"
        );
        std::fs::write(folder.path().join("t.csv"), row).expect("writable");
        check_all(["esn", "inspect", "simulate"], |command| {
            let output = run_in(folder.path(), &format!("{command} a.safetensors --topology t.csv"));
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 2)), "{command} {height}: {:?} {stderr}", output.status);
            assert!(!stderr.contains("panicked"), "{command} {height}: {stderr}");
        });
    });
}
