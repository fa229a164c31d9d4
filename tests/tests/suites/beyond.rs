//! Is what hardware beyond ideal costs reported whole: on the activations that it depends on, over the seeds that it is
//! random by, entry by entry?

use std::path::Path;

use esnsim_tests::{analog_toml, digital_toml, esnsim, repository};
use serde_json::Value;
use testkit::check_all;

fn run(folder: &Path, arguments: &[&str]) -> (String, String) {
    let assert = esnsim().current_dir(folder).args(arguments).assert().success();
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("the run wrote it")).expect("valid JSON")
}

/// Hardware whose energy depends on the activations: an element with a zero activation spends nothing.
fn gated(folder: &Path) {
    let text = digital_toml("gated", 4, 8, "weight").replace("[energy]", "zero_activations = \"gate\"\n[energy]");
    std::fs::write(folder.join("gated.toml"), text).expect("writable");
}

/// What an entry of the ledger counted, summed over the images.
fn count(run: &Value, entry: &str) -> u64 {
    let entries = run["ledger"].as_array().expect("a ledger");
    entries.iter().find(|e| e["name"] == entry).and_then(|e| e["count_all_images"].as_u64()).unwrap_or(0)
}

#[test]
fn cost_that_depends_on_activations_is_summed_over_the_images() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    gated(folder.path());
    let mut files = Vec::new();
    for threads in ["1", "3"] {
        let arguments = ["simulate", "--hardware", "gated.toml", "--limit", "7", "--json", "r.json", "--csv", "r.csv"];
        run(folder.path(), &[&arguments[..], &["--threads", threads]].concat());
        let read = |name: &str| std::fs::read(folder.path().join(name)).expect("the run wrote it");
        files.push((read("r.json"), read("r.csv")));
    }
    assert!(files[0] == files[1], "the same bytes at any number of threads");
    let report = json(&folder.path().join("r.json"));
    for layer in report["layers"].as_array().expect("layers").iter().chain([&report["total"]]) {
        let run = &layer["runs"][0];
        let metric: u64 = run["esn"].as_str().expect("text").parse().expect("an integer");
        assert_eq!(run["images"], 7);
        let (spent, saved) = (count(run, "mac"), count(run, "planes on zero activations"));
        assert_eq!(spent + saved, 7 * metric, "the metric looks at no activation: {}", layer["layer"]);
        let energy = run["energy_j"].as_f64().expect("a number");
        assert_eq!(energy, spent as f64 * 1e-15 / 7.0, "of one image");
    }
    assert!(count(&report["total"]["runs"][0], "planes on zero activations") > 0, "ReLU makes zeros");
}

#[test]
fn images_one_by_one_add_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    gated(folder.path());
    let spent = |limit: &str| {
        // The ranges of activations must be those of the same images.
        let calibration = ["--calibration-images", "1", "--limit", limit, "--json", "r.json"];
        run(folder.path(), &[&["simulate", "--hardware", "gated.toml"], &calibration[..]].concat());
        let report = json(&folder.path().join("r.json"));
        count(&report["total"]["runs"][0], "mac")
    };
    let [one, two, three] = ["1", "2", "3"].map(spent);
    assert!(one < two && two < three && three < 4 * one, "{one} {two} {three}");
}

#[test]
fn without_images_there_is_no_such_cost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    gated(folder.path());
    let network = repository("traces/digits-resnet.onnx");
    let network = network.to_str().expect("paths of the repository are text");
    let arguments = ["simulate", network, "--hardware", "gated.toml"];
    let assert = esnsim().current_dir(folder.path()).args(arguments).assert().code(2);
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(stderr.contains("gated") && stderr.contains("--images") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn random_hardware_is_run_with_every_seed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let noisy = |seed: u64| {
        format!(
            "{}[noise]\nseed = {seed}\nread_sigma = 0.2\n",
            analog_toml("noisy", "\"unbounded\"", "\"unbounded\"", 1)
        )
    };
    let run_seeds = |seed: u64, seeds: &str, threads: &str| {
        std::fs::write(folder.path().join("noisy.toml"), noisy(seed)).expect("writable");
        let arguments = ["simulate", "--hardware", "noisy.toml", "--hardware", "ideal-digital", "--limit", "60"];
        let more = ["--json", "r.json", "--no-float", "--seeds", seeds, "--threads", threads];
        let (stdout, _) = run(folder.path(), &[&arguments[..], &more[..]].concat());
        (stdout, json(&folder.path().join("r.json"))["inference"]["engines"].clone())
    };
    let (stdout, engines) = run_seeds(5, "3", "1");
    assert_eq!((stdout.clone(), engines.clone()), run_seeds(5, "3", "2"));
    assert!(stdout.contains("top-1 over seeds"), "{stdout}");
    assert!(engines[1]["seeds"].is_null(), "hardware that is not random runs once");
    let seeds = &engines[0]["seeds"];
    assert_eq!(seeds["seeds"], serde_json::json!([5, 6, 7]));
    assert_eq!(seeds["top1"][0], engines[0]["score"]["top1"]);
    check_all([5, 6, 7].into_iter().enumerate(), |&(i, seed)| {
        assert_eq!(run_seeds(seed, "1", "2").1[0]["score"]["top1"], seeds["top1"][i], "seed {seed} alone");
    });
    let top1: Vec<f64> =
        seeds["top1"].as_array().expect("a list").iter().map(|n| n.as_f64().expect("a number") / 60.0).collect();
    let mean = seeds["mean"].as_f64().expect("there are labels");
    assert!((mean - top1.iter().sum::<f64>() / 3.0).abs() < 1e-12);
    assert_eq!(seeds["min"].as_f64(), top1.iter().copied().reduce(f64::min));
}

#[test]
fn parts_of_the_ratio_add_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["cpu-serial", "gpu-8bit", "sparse-8bit", "multi-precision", "variable-bit-filter", "bit-serial"];
    let analog = ["analog-class-a", "analog-class-ab", "analog-class-b", "in-memory-class-b"];
    let mut arguments = vec!["simulate", "--limit", "1", "--json", "r.json"];
    names.iter().chain(&analog).for_each(|name| arguments.extend(["--hardware", name]));
    run(folder.path(), &arguments);
    let report = json(&folder.path().join("r.json"));
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    for run in report["total"]["runs"].as_array().expect("one a hardware") {
        let sum =
            |list: &str, field: &str| run[list].as_array().expect("a list").iter().map(|e| number(&e[field])).sum();
        let (ratio, energy): (f64, f64) = (sum("ledger", "ratio"), sum("ledger", "energy_j"));
        assert!((ratio / number(&run["ratio"]) - 1.0).abs() < 1e-12, "{}", run["hardware"]);
        assert!((energy / number(&run["energy_j"]) - 1.0).abs() < 1e-12);
        let idle: f64 = sum("idle", "share");
        assert!((idle + number(&run["utilization"]) - 1.0).abs() < 1e-9, "{}", run["hardware"]);
        let product = number(&run["energy_j"]) * number(&run["latency_s"]);
        assert!((number(&run["energy_delay_js"]) / product - 1.0).abs() < 1e-12);
        let tops = 2.0 * number(&report["total"]["macs"]) / number(&run["energy_j"]) / 1e12;
        assert!((number(&run["tops_per_w"]) / tops - 1.0).abs() < 1e-12);
        assert!(number(&run["weight_bits"]) > 0.0);
    }
}

#[test]
fn names_are_listed_and_a_wrong_one_says_which_there_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (list, _) = run(folder.path(), &["simulate", "--hardware", "list"]);
    assert_eq!(list.lines().count(), 23, "{list}");
    check_all(list.lines(), |line| {
        let name = line.split_whitespace().next().expect("a name");
        let has = |folder: &str| repository(&format!("{folder}/{name}.toml")).exists();
        assert!(has("configs") || has("configs/silicon") || has("configs/designs"), "{name}");
    });
    let assert = esnsim().current_dir(folder.path()).args(["simulate", "--hardware", "abacus"]).assert().code(2);
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(stderr.starts_with("error: abacus: neither a file nor one of ideal-analog"), "{stderr}");
}

#[test]
fn layers_that_clip_much_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let preset = std::fs::read_to_string(repository("configs/in-memory-class-b.toml")).expect("it comes along");
    let small = preset.replace("full_scale = \"max-sum\"", "full_scale = 20.0").replace("in-memory-class-b", "small");
    std::fs::write(folder.path().join("small.toml"), small).expect("the folder is writable");
    let arguments = ["simulate", "--limit", "50", "--csv", "run.csv", "--hardware", "small.toml", "--hardware"];
    let arguments = [&arguments[..], &["in-memory-class-b"]].concat();
    let output = esnsim().current_dir(folder.path()).args(arguments).output().expect("the command runs");
    let stderr = String::from_utf8(output.stderr).expect("text");
    let notes: Vec<&str> = stderr.lines().filter(|line| line.contains("clip over")).collect();

    let mut csv = csv::Reader::from_path(folder.path().join("run.csv")).expect("the run wrote it");
    let columns = csv.headers().expect("there is a header").clone();
    let place = |name: &str| columns.iter().position(|column| column == name).expect("it is a column");
    let (hardware, layer, clipped) = (place("hardware"), place("layer"), place("clipped"));
    let rows: Vec<csv::StringRecord> = csv.records().map(|row| row.expect("valid CSV")).collect();
    let shares = rows.iter().filter(|row| &row[hardware] == "small");
    let shares = shares.filter_map(|row| Some((row[layer].to_string(), row[clipped].parse::<f64>().ok()?)));
    let over: Vec<(String, f64)> = shares.filter(|(_, share)| *share > 0.01).collect();
    let most = over.iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("a full scale of 20 is too small");
    let expected = format!(
        "note: small: {} of 10 layers clip over 1 % of their conversions, {} most, {:.1} %: ",
        over.len(),
        most.0,
        100.0 * most.1
    );
    assert!(notes.len() == 1 && notes[0].starts_with(&expected), "{notes:?}, not {expected}");
}
