//! What does a wrong command say? One line on standard error that names what is wrong, exit code 2, and no file written.

use std::path::PathBuf;
use std::process::Output;

use esnsim_tests::{digital_toml, esnsim};
use tempfile::TempDir;
use testkit::{check_all, int_list, model};

/// A folder with files to be misused, in which the command runs.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        let conv = |weights: &[f32]| {
            let model = model().input("x", &[0, 1, 4, 4]);
            model.floats("w", &[2, 1, 1, 1], weights).node("Conv", &["x", "w"], &["y"]).bytes()
        };
        folder.write("net.onnx", &conv(&[1.0, -0.5]));
        folder.write("nan.onnx", &conv(&[1.0, f32::NAN]));
        folder.write("infinite.onnx", &conv(&[f32::NEG_INFINITY, 1.0]));
        folder.write("quantized.onnx", &quantized());
        folder.write("refused.onnx", &refused());
        folder.write("empty.onnx", b"");
        folder.write("text.onnx", b"This is not a network.\n");
        folder.write("images.npy", &npy(&[3, 1, 4, 4]));
        folder.write("pair.npy", &npy(&[3, 2, 4, 4]));
        folder.write("pair.onnx", &pair());
        folder.write("nchw.toml", b"layout = \"nchw\"\n");
        let mut apart = npy(&[3, 1, 4, 4]);
        let last = apart.len() - 4;
        apart[last..].copy_from_slice(&1.0f32.to_le_bytes());
        folder.write("apart.npy", &apart);
        folder.write("none.npy", &npy(&[0, 1, 4, 4]));
        folder.write("short.npy", &npy(&[3, 1, 4, 4])[..100]);
        folder.write("empty.bin", b"");
        folder.write("odd.bin", &[0; 3072]);
        folder.write("colour.bin", &[0; 3073]);
        folder.write("class.bin", &[10; 3073]);
        folder.write("none.csv", b"file,label\n");
        folder.write("images.xyz", b"");
        std::fs::create_dir(folder.path("folder")).expect("a folder can be made");
        let toml = digital_toml("mine", 2, 2, "weight");
        folder.write("good.toml", toml.as_bytes());
        folder.write("twin.toml", toml.as_bytes());
        folder.write("key.toml", toml.replace("rows = 2", "rows = 2\nlanes = 4").as_bytes());
        folder.write("table.toml", format!("{toml}[clock]\nhz = 1\n").as_bytes());
        folder.write("zero.toml", toml.replace("rows = 2", "rows = 0").as_bytes());
        folder.write("engine.toml", toml.replace("digital", "optical").as_bytes());
        folder.write("energy.toml", toml.replace("1.0e-15", "-1.0e-15").as_bytes());
        folder.write("torn.toml", &toml.as_bytes()[..40]);
        folder.write("bytes.toml", &[0xff, 0xfe]);
        folder.write("plan.toml", b"networks = [\"embedded\"]\n[[quantize]]\nbits = 2\n");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("a temporary folder is writable");
    }

    /// Names and contents of all files.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = std::fs::read_dir(self.0.path()).expect("readable").map(|e| e.expect("readable").path());
        let mut files: Vec<_> = entries.map(|path| (path.clone(), std::fs::read(path).unwrap_or_default())).collect();
        files.sort();
        files
    }

    fn run(&self, arguments: &str) -> Output {
        esnsim().current_dir(self.0.path()).args(arguments.split_whitespace()).output().expect("the command runs")
    }
}

/// Weights that are integers of the file.
fn quantized() -> Vec<u8> {
    model()
        .input("x", &[0, 1, 4, 4])
        .int8s("q", &[2, 1, 1, 1], &[1, -3])
        .floats("scale", &[], &[0.5])
        .int8s("zero", &[], &[0])
        .node("DequantizeLinear", &["q", "scale", "zero"], &["w"])
        .node("Conv", &["x", "w"], &["y"])
        .bytes()
}

/// A network whose input has two channels, which no picture has.
fn pair() -> Vec<u8> {
    let model = model().input("x", &[0, 2, 4, 4]);
    model.floats("w", &[1, 2, 1, 1], &[1.0, -0.5]).node("Conv", &["x", "w"], &["y"]).bytes()
}

/// A network with an operator that does not exist.
fn refused() -> Vec<u8> {
    model()
        .input("x", &[0, 1, 4, 4])
        .floats("w", &[2, 1, 1, 1], &[1.0, -0.5])
        .node_with("Conv", &["x", "w"], &["y"], vec![int_list("kernel_shape", &[1, 1])])
        .node("Blur", &["y"], &["z"])
        .returning("z")
        .bytes()
}

/// A numpy file of float32 zeros.
fn npy(shape: &[usize]) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape:?}, }}");
    let header = format!("{:<117}\n", text.replace('[', "(").replace(']', ")"));
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + 4 * shape.iter().product::<usize>(), 0);
    bytes
}

/// The error line of a run that fails as it should.
fn refusal(output: &Output, arguments: &str) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).expect("messages are text");
    assert_eq!(output.status.code(), Some(2), "{arguments}\n{stderr}");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!(errors.len(), 1, "{arguments}\n{stderr}");
    assert!(!stderr.contains("panicked"), "{arguments}\n{stderr}");
    errors[0].to_string()
}

/// Every command is refused with a line that holds the words, and changes no file.
fn assert_refused(cases: &[(&str, &[&str])]) {
    let folder = Folder::new();
    let before = folder.files();
    check_all(cases, |(arguments, words)| {
        let output = folder.run(arguments);
        let line = refusal(&output, arguments);
        for word in *words {
            assert!(line.contains(word), "{arguments}: {line:?} should name {word:?}");
        }
        assert_eq!(folder.files(), before, "{arguments}");
        // Causes stand in most messages and are not said after them once more.
        let parts: Vec<&str> = line.split(": ").collect();
        assert!((1..parts.len()).all(|i| parts[i] != parts[i - 1]), "{arguments}: {line}");
        assert!(line.matches("os error").count() <= 1, "{arguments}: {line}");
    });
}

#[test]
fn wrong_options_are_refused() {
    assert_refused(&[
        ("esn net.onnx --bits 0", &["--bits", "'0'"]),
        ("esn net.onnx --bits 17", &["--bits", "'17'"]),
        ("esn net.onnx --bits x", &["--bits", "'x'", "1 to 16"]),
        ("esn net.onnx --bits -1", &["-1"]),
        ("simulate net.onnx --bits 4.5", &["--bits", "4.5"]),
        ("simulate net.onnx --threads 0", &["--threads", "1 to 1024"]),
        ("simulate net.onnx --threads many", &["--threads", "many"]),
        ("simulate --limit 0", &["--limit", "at least 1"]),
        ("simulate net.onnx --limit 5", &["--limit", "--images"]),
        ("simulate --activation-bits 0", &["--activation-bits"]),
        ("simulate --activation-bits 17", &["--activation-bits", "expected a whole number from 1 to 16"]),
        ("landscape --pruned 120", &["--pruned", "expected a whole number from 0 to 99"]),
        ("trace --image 0", &["--image", "expected a whole number, at least 1"]),
        ("trace --image 501", &["--image 501: there are 500 images, counted from 1"]),
        ("compress --target-snr -1 -o o.onnx", &["step: an S/N of -1; expected a finite number above 0"]),
        ("simulate --calibration-images 0", &["--calibration-images"]),
        ("simulate --bit-convention half", &["--bit-convention", "half"]),
        ("simulate --preprocess unit --scale 2", &["--preprocess", "--scale"]),
        ("simulate --std 0", &["std"]),
        ("simulate --scale nan", &["scale"]),
        ("simulate net.onnx --input-shape x", &["--input-shape", "x"]),
        ("compress net.onnx --prune weights=0.5 --first-bits 8 -o o.onnx", &["a width of the first layer", "--bits"]),
        ("compress net.onnx --prune weights=0.5 --granularity filter -o o.onnx", &["what shares a step", "--bits"]),
        ("compress net.onnx --prune weights=0.5 --grid mid-tread -o o.onnx", &["a grid is given", "--bits"]),
        (
            "compress --bits 4 --calibrate images.npy -o o.onnx",
            &["--calibrate is given", "--reestimate-bn or --allocate"],
        ),
        ("compress --bits 4 --calibrate-limit 9 -o o.onnx", &["--calibrate-limit is given", "nothing looks at images"]),
        ("compress --bits 4 --preprocess unit -o o.onnx", &["--preprocess is given", "nothing looks at images"]),
        ("compress --bits 4 --allocate-images 9 -o o.onnx", &["--allocate-images is given", "no --allocate"]),
        ("compress --bits 4 --prune-scope layer -o o.onnx", &["--prune-scope is given", "no --prune"]),
        (
            "compress net.onnx --allocate macs=9 --calibrate apart.npy -o o.onnx",
            &["macs depends on pruning alone", "expected esn-a, esn-d"],
        ),
        (
            "compress net.onnx --allocate esn-a=0.5 --calibrate apart.npy -o o.onnx",
            &["net.onnx: allocate: a budget of 0.5 of esn-a; expected at least 8", "or the grid mid-tread"],
        ),
        (
            "compress --allocate esn-d=3e5 --bits 4 --calibrate images.npy -o o.onnx",
            &["'--allocate <COST=X>' cannot be used with '--bits <N>'"],
        ),
        ("compress --find-step --clip mse -o o.onnx", &["'--find-step' cannot be used with '--clip <RULE>'"]),
        ("esn --architecture resnet20", &["--architecture is for a file", "the network is the embedded one"]),
        ("simulate --input-shape x=1,1,8,8", &["--input-shape is for a file", "the embedded one"]),
        ("inspect --layers *.q", &["--layers is for a file", "the embedded one"]),
        ("trace --grid mid-rise", &["--grid is for a file", "the embedded one"]),
        ("simulate net.onnx --preprocess unit", &["--preprocess needs --images"]),
        ("simulate net.onnx --calibration-images 9", &["--calibration-images needs --images"]),
        ("simulate net.onnx --output y", &["--output needs --images"]),
        ("simulate --no-exif", &["--no-exif needs --images"]),
        ("new resnet20 --depth 40 -o o.onnx", &["depth does not belong to resnet20"]),
        ("simulate net.onnx --no-such-option", &["--no-such-option"]),
        ("optimize net.onnx", &["optimize"]),
        ("inspect net.onnx other.onnx", &["other.onnx"]),
    ]);
}

#[test]
fn an_option_of_other_commands_is_told_with_them() {
    let folder = Folder::new();
    let said = |arguments: &str| String::from_utf8(folder.run(arguments).stderr).expect("messages are text");
    let images = said("esn --images images.npy");
    assert!(images.contains("tip: --images is an option of simulate, trace, proxies\n"), "{images}");
    assert!(!images.contains("-- --images"), "{images}");
    let typo = said("simulate net.onnx --hardwear ideal");
    assert!(typo.contains("tip: a similar argument exists: '--hardware'"), "{typo}");
}

#[test]
fn wrong_numbers_of_a_preprocessing_are_told_before_costs_are_shown() {
    let folder = Folder::new();
    check_all(["--mean 1,2,3", "--std 1,2"], |numbers| {
        let arguments = format!("simulate net.onnx --images images.npy {numbers}");
        let output = folder.run(&arguments);
        let line = refusal(&output, &arguments);
        assert!(line.contains("numbers for 1 channel; expected one, or one for each channel"), "{line}");
        assert!(output.stdout.is_empty(), "{arguments}");
    });
}

#[test]
fn a_compression_that_changes_nothing_says_so() {
    let folder = Folder::new();
    let cases = [
        ("--prune filters=0", "nothing is pruned"),
        ("--compact", "nothing is removed"),
        ("--compact --bits 4", "nothing is removed"),
    ];
    check_all(cases, |(how, words)| {
        let output = folder.run(&format!("compress net.onnx {how} -o out.onnx"));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && stderr.matches(words).count() == 1, "{how}: {stderr}");
    });
    let pruned = folder.run("compress --prune filters=0.1 --compact -o out.onnx");
    assert!(!String::from_utf8_lossy(&pruned.stderr).contains("nothing"), "something is");
    // Whether anything was done at all.
    let same = "note: nothing of what was asked for changed anything: the network is the one that was read\n";
    let cases = [
        ("--prune filters=0", true),
        ("--find-step", true),
        ("--find-step --prune filters=0", true),
        ("--prune filters=0 --bits 4", false),
        ("--find-step --prune weights=0.1", false),
    ];
    check_all(cases, |&(how, expected)| {
        let output = folder.run(&format!("compress {how} -o out.onnx"));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && stderr.contains(same) == expected, "{how}: {stderr}");
    });
}

#[test]
fn layers_without_a_step_are_one_note() {
    let folder = Folder::new();
    let output = folder.run("compress --find-step --prune weights=0.1 -o out.onnx");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && stderr.matches("no step found").count() == 1, "{stderr}");
    assert!(stderr.contains("no step found for 10 layers, whose weights stay real; layer /conv1/Conv: "), "{stderr}");
}

#[test]
fn wrong_network_files_are_refused() {
    assert_refused(&[
        ("esn missing.onnx", &["missing.onnx", "No such file"]),
        ("simulate missing.onnx --csv out.csv", &["missing.onnx", "No such file"]),
        ("inspect missing.onnx", &["missing.onnx", "No such file"]),
        ("esn net.onnx missing.onnx --csv out.csv", &["missing.onnx"]),
        ("esn folder", &["folder"]),
        ("esn empty.onnx", &["empty.onnx", "empty"]),
        ("esn text.onnx", &["text.onnx", "it is text; expected a network"]),
        ("esn images.npy --architecture resnet8", &["images.npy", "lacks tensor \"conv1.weight\""]),
        ("esn nan.onnx --csv out.csv", &["nan.onnx", "Conv_y", "weight 1", "NaN"]),
        ("simulate infinite.onnx --csv out.csv", &["infinite.onnx", "Conv_y", "weight 0", "-inf"]),
        ("inspect nan.onnx --csv out.csv", &["nan.onnx", "Conv_y", "NaN"]),
        ("esn quantized.onnx --bits 4 --csv out.csv", &["quantized.onnx", "--bits 4", "already"]),
        ("simulate quantized.onnx --bits 8", &["quantized.onnx", "--bits 8", "already"]),
    ]);
}

#[test]
fn a_network_that_cannot_be_compressed_is_named_once() {
    let folder = Folder::new();
    check_all(["--bits 4", "--find-step", "--prune weights=0.5"], |&how| {
        let arguments = format!("compress nan.onnx {how} -o out.onnx");
        let line = refusal(&folder.run(&arguments), &arguments);
        assert_eq!(line.matches("nan.onnx").count(), 1, "{arguments}: {line}");
        assert!(line.contains("weight 1") && line.contains("NaN"), "{arguments}: {line}");
    });
}

#[test]
fn wrong_hardware_files_are_refused() {
    assert_refused(&[
        ("simulate net.onnx --hardware missing.toml --csv out.csv", &["missing.toml", "No such file"]),
        ("simulate net.onnx --hardware folder", &["folder"]),
        ("simulate net.onnx --hardware key.toml", &["key.toml", "line 5", "lanes"]),
        ("simulate net.onnx --hardware table.toml", &["table.toml", "clock"]),
        ("simulate net.onnx --hardware zero.toml", &["zero.toml", "array.rows", "0"]),
        ("simulate net.onnx --hardware engine.toml", &["engine.toml", "optical"]),
        ("simulate net.onnx --hardware energy.toml", &["energy.toml", "mac_j_per_pe_cycle"]),
        ("simulate net.onnx --hardware torn.toml", &["torn.toml"]),
        ("simulate net.onnx --hardware bytes.toml", &["bytes.toml"]),
        ("simulate net.onnx --hardware net.onnx", &["net.onnx"]),
        ("simulate net.onnx --hardware good.toml --hardware twin.toml", &["twin.toml", "good.toml", "mine"]),
    ]);
}

#[test]
fn wrong_images_are_refused() {
    assert_refused(&[
        ("simulate net.onnx --images missing.bin", &["missing.bin", "No such file"]),
        ("simulate net.onnx --images empty.bin", &["empty.bin", "0 bytes"]),
        ("simulate net.onnx --images odd.bin", &["odd.bin", "3072 bytes", "3073"]),
        ("simulate net.onnx --images class.bin", &["class.bin", "label 10"]),
        ("simulate net.onnx --images none.npy", &["none.npy"]),
        ("simulate net.onnx --images short.npy", &["short.npy"]),
        ("simulate net.onnx --images none.csv", &["none.csv"]),
        ("simulate net.onnx --images folder", &["folder"]),
        ("simulate net.onnx --images images.xyz", &["images.xyz", "unsupported"]),
        ("simulate net.onnx --images pair.npy", &["pair.npy", "channels"]),
        ("simulate pair.onnx --images images.npy", &["images.npy", "[3, 1, 4, 4]", "[N, 2, 4, 4]"]),
        ("simulate pair.onnx --images pair.npy --layout nope", &["--layout"]),
        ("simulate net.onnx --images colour.bin --layout nhwc", &["colour.bin", "arrays"]),
        ("simulate pair.onnx --images colour.bin", &["colour.bin[0]", "3 channels", "2"]),
        ("simulate pair.onnx --images colour.bin --preprocess nchw.toml", &["colour.bin[0]", "3 channels", "2"]),
        ("simulate net.onnx --images images.npy --preprocess missing.toml", &["missing.toml"]),
        ("simulate net.onnx --images images.npy --preprocess good.toml", &["good.toml", "there is no key \"array\""]),
        ("simulate net.onnx --images images.npy --mean 1,2", &["mean"]),
    ]);
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_any_work() {
    assert_refused(&[
        ("esn net.onnx --csv nowhere/out.csv", &["nowhere/out.csv", "no folder nowhere"]),
        ("simulate net.onnx --csv out.csv --json nowhere/out.json", &["nowhere/out.json"]),
        ("inspect net.onnx --csv nowhere/out.csv", &["nowhere/out.csv"]),
        ("esn net.onnx --csv folder", &["folder"]),
        ("esn net.onnx --csv net.onnx", &["net.onnx", "input"]),
        ("esn net.onnx --csv ./folder/../net.onnx", &["net.onnx", "input"]),
        ("inspect net.onnx --csv net.onnx", &["net.onnx", "input"]),
        ("simulate net.onnx --json net.onnx", &["net.onnx", "input"]),
        ("simulate net.onnx --hardware good.toml --csv good.toml", &["good.toml", "input"]),
        ("simulate net.onnx --images images.npy --csv images.npy", &["images.npy", "input"]),
        ("simulate net.onnx --csv out.csv --json out.csv", &["out.csv", "output"]),
        ("simulate net.onnx --images images.npy --preprocess nchw.toml --csv nchw.toml", &["nchw.toml", "input"]),
        ("trace net.onnx --hardware good.toml --csv good.toml", &["good.toml", "input"]),
        ("trace net.onnx --topology none.csv --csv none.csv", &["none.csv", "input"]),
        ("compress net.onnx --target-profile pair.onnx -o pair.onnx", &["pair.onnx", "input"]),
    ]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_device_is_no_success() {
    let folder = Folder::new();
    let arguments = "esn net.onnx --csv /dev/full";
    let line = refusal(&folder.run(arguments), arguments);
    assert!(line.contains("/dev/full"), "{line}");
}

#[test]
fn an_operator_that_is_not_run_stops_inference_and_no_cost() {
    let folder = Folder::new();
    let arguments = "simulate refused.onnx --images images.npy --csv out.csv --json out.json";
    let output = folder.run(arguments);
    let line = refusal(&output, arguments);
    assert!(line.contains("Blur") && line.contains("Blur_z"), "{line}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert!(stdout.contains("ESN check") && stdout.contains("PASS"), "{stdout}");
    let csv = std::fs::read_to_string(folder.path("out.csv")).expect("costs are written");
    assert_eq!(csv.lines().filter(|line| line.starts_with("TOTAL,")).count(), 3, "{csv}");
    let json = std::fs::read(folder.path("out.json")).expect("costs are written");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("valid JSON");
    assert!(json["inference"].is_null(), "{json}");
}

#[test]
fn an_operator_that_is_not_run_is_a_note_where_nothing_is_to_run() {
    let folder = Folder::new();
    check_all(["simulate refused.onnx", "esn refused.onnx", "inspect refused.onnx"], |&command| {
        let output = folder.run(command);
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(0), "{command}\n{stderr}");
        let notes: Vec<&str> = stderr.lines().collect();
        assert!(matches!(notes[..], [note] if note.starts_with("note: ") && note.contains("Blur")), "{stderr}");
    });
}

#[test]
fn a_network_may_come_through_a_pipe() {
    let network = std::fs::read(esnsim_tests::repository("traces/digits-resnet.onnx")).expect("it comes along");
    let piped = |file: &str| {
        let output = esnsim().args(["esn", file]).write_stdin(network.clone()).output().expect("the command runs");
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is text")
    };
    let total = "TOTAL  ESN_a 276,576 (c = 1), 3,387,036 (c = MACs)";
    let text = piped("-");
    assert!(text.contains(total) && text.starts_with("standard input: 10 MAC layers"), "{text}");
    if cfg!(target_os = "linux") {
        let text = piped("/dev/stdin");
        assert!(text.contains(total) && text.starts_with("/dev/stdin: 10 MAC layers"), "{text}");
    }
    let nothing = esnsim().args(["esn", "-"]).write_stdin("").output().expect("the command runs");
    let line = String::from_utf8(nothing.stderr).expect("text");
    assert!(nothing.status.code() == Some(2) && line.starts_with("error: standard input: "), "{line}");
}

#[test]
fn a_file_of_the_wrong_kind_is_named_for_what_it_is() {
    assert_refused(&[
        ("esn colour.bin", &["colour.bin", "images in the binary format of CIFAR-10", "; --images takes it"]),
        ("esn good.toml", &["good.toml", "it is TOML", "; --hardware takes descriptions, sweep takes plans"]),
        ("simulate --hardware plan.toml", &["plan.toml", "it is the plan of a sweep"]),
        ("sweep good.toml -o x.sqlite", &["good.toml", "it is a description of hardware"]),
        ("simulate --hardware net.onnx", &["net.onnx", "it is no text", "TOML"]),
        ("sweep net.onnx -o x.sqlite", &["net.onnx", "it is no text", "TOML"]),
        ("simulate net.onnx --images net.onnx", &["net.onnx", "it is a network or its weights; expected images"]),
    ]);
}

#[test]
fn a_word_that_is_nearly_right_is_told_the_right_one() {
    assert_refused(&[
        ("simulate net.onnx --images images.npy --preprocess imagnet", &["imagnet", "did you mean imagenet?"]),
        ("simulate net.onnx --images images.npy --preprocess imgnet", &["imgnet", "did you mean imagenet?"]),
        ("simulate net.onnx --hardware gpu-8bits", &["gpu-8bits", "did you mean gpu-8bit?"]),
    ]);
}
