use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use compress::{PruneOptions, QuantizeOptions};
use network::{ErrorKind, Failure};
use testkit::check_all;

use super::pruned::PrunedNetworks;
use super::*;
use crate::PointKey;
use crate::store::{Status, Store};

fn parse(text: &str) -> Result<Plan, String> {
    Plan::parse(Path::new("p.toml"), text).map_err(|e| e.to_string())
}

fn open(text: &str) -> OpenPlan {
    OpenPlan::open(parse(text).expect("valid"), 1 << 20).expect("the embedded network is there")
}

fn points(open: &OpenPlan) -> Vec<inputs::Point> {
    let of_plan: Vec<u64> =
        open.places_of(&open.keys()).expect("its own").into_iter().map(|(place, _)| place).collect();
    of_plan.into_iter().map(|place| open.point(place)).collect()
}

fn labels(text: &str) -> Vec<String> {
    points(&open(text)).iter().map(|point| point.configuration.label()).collect()
}

#[test]
fn a_plan_is_the_product_of_its_lists_in_their_order() {
    let text = r#"
        networks = ["embedded"]
        reestimate = [false, true]
        [statistics]
        path = "embedded"
        limit = 10
        [[prune]]
        [[prune]]
        each = [{ filters = { fraction = 0.25 } }, { weights = 0.5 }]
        [[quantize]]
        bits = [2, 3]
        [[quantize]]
        bits = 4
        granularity = "filter"
        step = ["mse", { snr = 100.0 }]
    "#;
    let labels = labels(text);
    assert_eq!(labels.len(), 3 * 4 * 2);
    assert_eq!(labels[..3], ["2 bits", "2 bits, re-estimated", "3 bits"]);
    assert_eq!(labels[4], "4 bits per filter mse");
    assert_eq!(labels[8], "filters −25 %, 2 bits");
    assert_eq!(labels[23], "weights −50 %, 4 bits per filter S/N 100, re-estimated");
}

#[test]
fn hardware_is_a_file_or_a_name_that_comes_along() {
    let names = |hardware: &str| {
        let plan = parse(&format!("networks = [\"embedded\"]\nhardware = [{hardware}]\n[[quantize]]\nbits = 2"));
        let open = OpenPlan::open(plan.expect("valid"), 1 << 20).map_err(|error| network::chain(&error))?;
        let hardware = points(&open)[0].configuration.hardware.clone();
        Ok::<_, String>(
            hardware.iter().map(|hardware| hardware["name"].as_str().unwrap_or("none").to_string()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(names("\"gpu-8bit\", \"ideal-digital\""), Ok(vec!["gpu-8bit".to_string(), "ideal-digital".to_string()]));
    assert_eq!(names("\"ideal\"").expect("the three").len(), 3);
    let unknown = names("\"gpu-9bit\"").expect_err("there is none");
    assert!(unknown.starts_with("p.toml: hardware: gpu-9bit: neither a file nor one of ideal-analog"), "{unknown}");
}

#[test]
fn points_stand_alone_or_beside_the_product() {
    let point = r#"
        [[point]]
        prune = { prunings = [{ filters = { width = 0.5 } }], below = 0.01 }
        quantize = { bits = 5, step = "laplace" }
    "#;
    let alone = labels(&format!("networks = [\"embedded\"]\n{point}"));
    assert_eq!(alone, ["width 0.5× below 1 %, 5 bits Laplace"]);
    let beside = labels(&format!("networks = [\"embedded\"]\n[[quantize]]\nbits = [1, 2]\n{point}"));
    assert_eq!(beside, ["1 bit", "2 bits", "width 0.5× below 1 %, 5 bits Laplace"]);
    let twice = labels("networks = [\"embedded\"]\n[[quantize]]\nbits = [2, 2]\n[[point]]\nquantize = { bits = 2 }");
    assert_eq!(twice, ["2 bits"]);
}

#[test]
fn points_with_ways_of_their_own_for_layers_have_names_that_tell_them_apart() {
    let point = |bits: u32| {
        format!(
            "[[point]]\nquantize = {{ bits = 8, layers = [{{ layer = \"/fc/Gemm\", bits = 2 }}, {{ layer = \"/conv1/Conv\", bits = {bits} }}, {{ layer = \"/layer1/conv1/Conv\", bits = 4 }}] }}\n"
        )
    };
    let open = open(&format!("networks = [\"embedded\"]\n{}{}", point(2), point(3)));
    let labels: Vec<String> = points(&open).iter().map(|point| point.configuration.label()).collect();
    let keys = open.keys();
    assert_eq!(labels[0], format!("8 bits, 3 layers of their own 2 to 4 bits, point {}", &keys[0][..6]));
    assert_ne!(labels[0], labels[1]);
}

#[test]
fn a_key_is_of_what_the_result_depends_on() {
    let keys = |text: &str| open(text).keys();
    let base = keys("networks = [\"embedded\"]\n[images]\npath = \"embedded\"\nlimit = 9\n[[quantize]]\nbits = [2, 3]");
    let more =
        keys("networks = [\"embedded\"]\n[images]\npath = \"embedded\"\nlimit = 9\n[[quantize]]\nbits = [4, 3, 2]");
    assert_eq!((&more[1], &more[2]), (&base[1], &base[0]));
    let cases = [
        "networks = [\"embedded\"]\n[images]\npath = \"embedded\"\nlimit = 8\n[[quantize]]\nbits = [2, 3]",
        "networks = [\"embedded\"]\nactivation-bits = 7\n[images]\npath = \"embedded\"\nlimit = 9\n[[quantize]]\nbits = 2",
        "networks = [\"embedded\"]\n[[quantize]]\nbits = 2",
    ];
    check_all(cases, |other| assert!(keys(other).iter().all(|key| !base.contains(key)), "{other}"));
    // A statement in docs/sweep.md: keys of one layout do not change. If this fails, raise `schema`.
    assert_eq!(base[0].len(), 32);
}

#[test]
fn a_wrong_plan_is_refused_in_one_line_that_names_the_key() {
    let cases = [
        ("", "networks"),
        ("networks = []", "networks is empty"),
        ("networks = [\"embedded\"]\nthreads = 2", "threads"),
        ("networks = [\"embedded\"]\n[[quantize]]\nbits = 0", "1"),
        ("networks = [\"embedded\"]\n[[quantize]]\nbits = []", "empty list"),
        ("networks = [\"embedded\"]\n[[quantize]]\nstep = \"best\"", "best"),
        ("networks = [\"embedded\"]\n[[quantize]]\nbit = 4", "bit"),
        ("networks = [\"embedded\"]\n[[prune]]\neach = [{ filters = { fraction = 1.5 } }]", "filters.fraction is 1.5"),
        ("networks = [\"embedded\"]\n[[prune]]\neach = [{ pattern = { keep = 5, of = 4 } }]", "keeps 5 of 4"),
        ("networks = [\"embedded\"]\n[[prune]]\nbelow = [0.1, 2.0]", "below is 2"),
        ("networks = [\"embedded\"]\nreestimate = [true]", "[statistics]"),
        ("networks = [\"embedded\"]\nhardware = []", "hardware"),
        ("networks = [\"embedded\"]\nactivation-bits = 17", "activation-bits is 17"),
        ("networks = [\"embedded\"]\nactivation-bits = 7", "activation-bits is for runs on images"),
        ("networks = [\"embedded\"]\ncalibration-images = 9", "calibration-images is for runs on images"),
        ("networks = [\"embedded\"]\nanalog-accuracy = true", "analog-accuracy is for runs on images"),
        ("networks = [\"embedded\"]\n[images]\npath = \"x\"\nlimit = 0", "limit"),
        ("networks = [\"embedded\"]\n[[point]]\nnetwork = \"other\"", "other"),
        ("networks = [\"embedded\"]\n[[point]]\nquantize = { bits = 99 }", "quantize.bits"),
    ];
    check_all(cases, |&(text, expected)| {
        let message = parse(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(message.starts_with("p.toml: ") && !message.contains('\n'), "{message}");
        assert!(message.contains(expected), "{message:?} should name {expected:?}");
    });
}

#[test]
fn what_a_plan_names_must_be_there() {
    let open = |text: &str| OpenPlan::open(parse(text).expect("valid"), 1 << 20).err().expect("refused").to_string();
    assert!(open("networks = [\"no.onnx\"]").contains("no.onnx"));
    assert!(open("networks = [\"embedded\", \"embedded\"]").contains("twice"));
    assert!(open("networks = [\"embedded\"]\nhardware = [\"no.toml\"]").contains("no.toml"));
    assert!(open("networks = [\"embedded\"]\nhardware = [\"ideal\", \"ideal\"]").contains("ideal-analog"));
    assert!(open("networks = [\"embedded\"]\n[images]\npath = \"no.bin\"").contains("no.bin"));
}

#[test]
fn shards_part_the_points() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = parse("networks = [\"embedded\"]\n[[quantize]]\nbits = [1, 2, 3, 4, 5]").expect("valid");
    let bits = |name: &str, shard| {
        let store = folder.path().join(name);
        let options = SweepOptions { shard, memory_bytes: 1 << 30, run: QUIET };
        sweep(&plan, &store, &options).expect("the embedded network runs");
        let rows = Store::open_existing(&store).and_then(|store| store.rows()).expect("a store");
        let mut labels: Vec<String> = rows.iter().map(|row| row.configuration.label()).collect();
        labels.sort_unstable();
        labels
    };
    assert_eq!(bits("second", Some(Shard { index: 2, of: 3 })), ["2 bits", "5 bits"]);
    assert_eq!(bits("all", None).len(), 5);
    assert!(bits("ninth", Some(Shard { index: 9, of: 9 })).is_empty());
}

#[test]
fn methods_are_those_of_the_paper() {
    let method = |prune: Option<f64>, bits| {
        let text = "networks = [\"embedded\"]\n[[point]]";
        let mut configuration = points(&open(text)).remove(0).configuration;
        configuration.quantize = Some(compress::QuantizeOptions { bits, ..Default::default() });
        configuration.prune = prune.map(|below| compress::PruneOptions { below: Some(below), ..Default::default() });
        configuration.method()
    };
    assert_eq!(method(None, 8), Method::QuantizeOnly);
    assert_eq!(method(Some(0.1), 8), Method::PruneOnly);
    assert_eq!(method(Some(0.1), 7), Method::PruneThenQuantize);
    // Of a target the width is but a bound.
    let text =
        "networks = [\"embedded\"]\n[[point]]\nquantize = { bits = 16, step = { snr = 9.0 } }\nprune = { below = 0.1 }";
    assert_eq!(points(&open(text)).remove(0).configuration.method(), Method::PruneThenQuantize);
}

#[test]
fn ranges_are_written_out_with_both_ends() {
    let plan = |lists: &str| labels(&format!("networks = [\"embedded\"]\n{lists}"));
    assert_eq!(plan("[[quantize]]\nbits = { from = 2, to = 4 }"), ["2 bits", "3 bits", "4 bits"]);
    assert_eq!(
        plan("[[quantize]]\nbits = [1, { from = 4, to = 8, step = 2 }]"),
        ["1 bit", "4 bits", "6 bits", "8 bits"]
    );
    let fractions = "[[prune]]\neach = { filters = { fraction = { from = 0.1, to = 0.3, step = 0.1 } } }\n";
    let quantize = "[[quantize]]\nbits = 2\nclip = [\"max-abs\", \"mse\"]";
    let expected =
        ["10", "20", "30"].map(|percent| ["", " mse"].map(|step| format!("filters −{percent} %, 2 bits{step}")));
    assert_eq!(plan(&format!("{fractions}{quantize}")), expected.concat());
}

#[test]
fn ranges_that_are_none_are_refused() {
    let refused = |bits: &str| {
        let text = format!("networks = [\"embedded\"]\n[[quantize]]\nbits = {bits}");
        parse(&text).expect_err("it is no range")
    };
    let cases = [
        ("{ from = 4, to = 2 }", "from must not exceed to"),
        ("{ from = 2 }", "expected a range as"),
        ("{ to = 2 }", "expected a range as"),
        ("{ from = 2, to = 8, by = 2 }", "a range has no key \"by\""),
        ("{ from = 2, to = 8, step = 0 }", "the step of a range must be above 0"),
        ("{ from = 2, to = 8, step = 4 }", "a range must end on to"),
        ("{ from = 2, to = 8, step = 0.5 }", "a range of whole numbers has a whole step"),
        ("{ from = 0.1, to = 0.5 }", "a range of fractions needs a step"),
        ("{ from = 0.1, to = 0.45, step = 0.1 }", "a range must end on to"),
        ("{ from = 0.1, to = inf, step = 0.1 }", "a range of over 1000000 numbers"),
        ("{ from = 0.1, to = nan, step = 0.1 }", "from must not exceed to"),
        ("\"8..2\"", "from must not exceed to"),
        ("\"2..\"", "expected a range as"),
        ("\"2..8 by 2\"", "not \"2..8 by 2\""),
        ("\"2..8 step 0.5\"", "a range of whole numbers has a whole step"),
        ("\"0.1..0.5\"", "a range of fractions needs a step"),
        ("\"1..9 step 3\"", "a range must end on to"),
        ("{ from = 0, to = 9223372036854775807 }", "a range of over 1000000 numbers"),
        ("{ from = -9223372036854775807, to = 9223372036854775807 }", "a range of over 1000000 numbers"),
    ];
    check_all(cases, |(wrong, expected)| {
        let message = refused(wrong);
        assert!(message.starts_with("p.toml: line 3, in [[quantize]]: ") && message.contains(expected), "{message}");
    });
}

#[test]
fn ranges_and_lists_are_read_as_people_write_them() {
    let plan = |lists: &str| labels(&format!("networks = [\"embedded\"]\n{lists}"));
    assert_eq!(plan("[[quantize]]\nbits = \"2..4\""), ["2 bits", "3 bits", "4 bits"]);
    assert_eq!(plan("[[quantize]]\nbits = [1, \"4..8 step 2\"]"), ["1 bit", "4 bits", "6 bits", "8 bits"]);
    let fractions = |written: &str| plan(&format!("[[prune]]\neach = {{ filters = {{ fraction = {written} }} }}"));
    let expected = ["10", "20", "30"].map(|percent| format!("filters −{percent} %, as the file has it"));
    assert_eq!(fractions("[0.1, 0.2, 0.3]"), expected);
    assert_eq!(fractions("\"0.1..0.3 step 0.1\""), expected);
    assert_eq!(fractions("\"0..0.9 step 0.05\"").len(), 19);
    // The numbers are those of a list, to the last bit, and so are the keys.
    let keys = |written: &str| {
        let text = format!("networks = [\"embedded\"]\n[[prune]]\neach = {{ weights = {written} }}");
        open(&text).keys()
    };
    assert_eq!(keys("\"0.1..0.7 step 0.2\""), keys("[0.1, 0.3, 0.5, 0.7]"));
    let profile = "[[quantize]]\nstep = { esn-a-profile = [1.0, 2.0] }";
    assert_eq!(plan(profile), ["4 bits ESN_a profile"]);
}

#[test]
fn widths_of_layers_are_lists_of_the_product() {
    let plan = |lists: &str| {
        let open = open(&format!("networks = [\"embedded\"]\n[[quantize]]\n{lists}"));
        let options = |point: inputs::Point| point.configuration.quantize.expect("the plan says so");
        points(&open).into_iter().map(options).collect::<Vec<QuantizeOptions>>()
    };
    let names: Vec<String> = {
        let network = runner::embedded_network().expect("it is there");
        network.layers().iter().map(|layer| layer.name.clone()).collect()
    };
    let (first, second) = (&names[0], &names[1]);
    let all = plan(&format!("bits = [4, 5]\nbits-of-layers = {{ {second:?} = \"7..8\", {first:?} = [2, 3] }}"));
    let widths: Vec<(u32, Vec<Option<u32>>)> =
        all.iter().map(|options| (options.bits, options.layers.iter().map(|own| own.bits).collect())).collect();
    assert_eq!(widths.len(), 8);
    assert_eq!(widths[..2], [(4, vec![Some(2), Some(7)]), (4, vec![Some(2), Some(8)])]);
    assert_eq!(widths[7], (5, vec![Some(3), Some(8)]));
    assert!(all.iter().all(|options| options.layers[0].layer == *first && options.layers[1].layer == *second));
    // A layer that the plan names beside has both.
    let own =
        plan(&format!("layers = [{{ layer = {first:?}, step = \"mse\" }}]\nbits-of-layers = {{ {first:?} = 6 }}"));
    assert_eq!((own[0].layers.len(), own[0].layers[0].bits), (1, Some(6)));
    assert!(own[0].layers[0].step.is_some());
    let every = plan(&format!("bits-of-layers = {{ {first:?} = 8, \"*\" = 3 }}"));
    let expected: Vec<Option<u32>> = (0..names.len()).map(|layer| Some(if layer == 0 { 8 } else { 3 })).collect();
    assert_eq!(every[0].layers.iter().map(|own| own.bits).collect::<Vec<_>>(), expected);
}

#[test]
fn wrong_widths_and_samples_are_refused_in_one_line() {
    let text = |more: &str| format!("networks = [\"embedded\"]\n{more}");
    let cases = [
        ("[[quantize]]\nbits-of-layers = { conv9 = 4 }", "there is no layer \"conv9\""),
        ("[[quantize]]\nbits-of-layers = { conv1 = 17 }", "bits-of-layers, conv1"),
        (
            "[[quantize]]\nlayers = [{ layer = \"a\", bits = 2 }]\nbits-of-layers = { a = 4 }",
            "the layer has bits in layers, too",
        ),
        ("sample = 0", "sample is 0"),
        ("seed = 1", "seed is for a sample"),
        ("method = \"random\"", "method is for a sample"),
        ("sample = 5\nmethod = \"sobol\"", "sobol"),
        ("[[quantize]]\nbits = \"1..8\"\nbits-of-layers = { \"*\" = \"1..8\" }", "sample"),
    ];
    check_all(cases, |&(more, expected)| {
        let message = match parse(&text(more)) {
            Ok(plan) => OpenPlan::open(plan, 1 << 20).err().expect("refused").to_string(),
            Err(message) => message,
        };
        assert!(message.starts_with("p.toml: ") && !message.contains('\n'), "{message}");
        assert!(message.contains(expected), "{message:?} should name {expected:?}");
    });
}

#[test]
fn samples_are_the_same_for_a_seed_and_even_as_latin_hypercubes() {
    let plan = |more: &str| {
        let lists = "[[prune]]\neach = { weights = \"0.0..0.9 step 0.1\" }\n[[quantize]]\nbits = \"1..8\"\n\
                     bits-of-layers = { \"*\" = \"1..8\" }";
        let open = open(&format!("networks = [\"embedded\"]\n{more}\n{lists}"));
        let bits = |point: &inputs::Point| point.configuration.quantize.as_ref().map_or(0, |options| options.bits);
        let points = points(&open);
        (open.keys(), points.iter().map(bits).collect::<Vec<u32>>())
    };
    let (keys, _) = plan("sample = 40");
    assert_eq!(keys.len(), 40);
    assert_eq!(keys, plan("sample = 40\nseed = 0\nmethod = \"random\"").0);
    assert!(plan("sample = 40\nseed = 1").0.iter().all(|key| !keys.contains(key)));
    let (keys, bits) = plan("sample = 40\nmethod = \"latin-hypercube\"");
    assert_eq!(keys.len(), 40);
    let of_width = |width: u32| bits.iter().filter(|&&bits| bits == width).count();
    assert!((1..=8).all(|width| (4..=6).contains(&of_width(width))), "{bits:?}");
    // Of a product that is smaller than the sample, all of it.
    let all = "networks = [\"embedded\"]\n[[quantize]]\nbits = \"1..8\"";
    assert_eq!(open(&format!("sample = 100\n{all}")).keys(), open(all).keys());
}

#[test]
fn keys_are_those_of_the_whole_configuration() {
    for text in
        [EIGHT_POINTS, "networks = [\"embedded\"]", "networks = [\"embedded\"]\n[[point]]\nquantize = { bits = 3 }"]
    {
        let open = open(text);
        let keys: Vec<String> = points(&open).iter().map(|point| point.configuration.key().to_string()).collect();
        assert_eq!(open.keys(), keys);
    }
    // Keys of stores that are there already: these two are of version 0.1.0 before plans were counted through.
    let open = open("networks = [\"embedded\"]\n[[quantize]]\nbits = [2, 3]");
    assert_eq!(open.keys(), KEYS_OF_OLD);
}

/// The keys of the embedded network at 2 and 3 bits on the three ideal engines.
const KEYS_OF_OLD: [&str; 2] = ["d5125abec7889411f03c7ca7c523f3ca", "50ed2f7d59cc5846d6c6c10eccc957e5"];

#[test]
fn a_status_counts_what_a_store_has() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s");
    let open = open("networks = [\"embedded\"]\n[[quantize]]\nbits = [1, 2, 3]\nmid-rise = [true, false]");
    let status = |shard| {
        let store = path.exists().then(|| Store::open_existing(&path).expect("a store"));
        let SweepStatus { points, done, failed, open } = open.status(store.as_ref(), shard).expect("it counts");
        [points, done, failed, open]
    };
    assert_eq!(status(None), [6, 0, 0, 6]);
    // The first four: 1 bit on mid-tread has no level but 0.
    open.run(&open.keys()[..4], &path, &QUIET).expect("it runs");
    assert_eq!(status(None), [6, 3, 1, 2]);
    assert_eq!(status(Some(Shard { index: 2, of: 2 })), [3, 1, 1, 1]);
}

/// What layers cost is kept while there is room, and comes out the same without.
#[test]
fn layers_that_are_known_are_not_costed_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "networks = [\"embedded\"]\n[[prune]]\neach = { weights = [0.0, 0.5] }\n[[quantize]]\nbits = \"2..4\"\n\
                granularity = [\"layer\", \"filter\"]\nstep = [\"max-abs\", \"mse\", { snr = 50.0 }]\nmid-rise = [true, false]";
    let rows = |memory_bytes: u64, threads: usize| {
        let store = folder.path().join(format!("{memory_bytes}-{threads}"));
        let options = SweepOptions { shard: None, memory_bytes, run: RunOptions { threads, ..QUIET } };
        let report = sweep(&parse(text).expect("valid"), &store, &options).expect("it runs");
        assert_eq!((report.points, report.failed), (72, 0));
        Store::open_existing(&store).and_then(|store| store.rows()).expect("a store")
    };
    let expected = rows(1 << 30, 1);
    assert_eq!(rows(1 << 30, 3), expected);
    assert_eq!(rows(1 << 12, 2), expected);
    // As the network is costed as a whole.
    let network = runner::embedded_network().expect("it is there");
    let hardware = runner::Hardware::ideal();
    for row in &expected {
        let (pruned, report) = compress::prune(&network, row.configuration.prune.as_ref().expect("every point is"))
            .expect("it can be pruned");
        let options = row.configuration.quantize.as_ref().expect("every point is");
        let (quantized, quantizing) = compress::quantize(&pruned, options).expect("it can be quantized");
        let quantization = runner::Quantization::new(None);
        let convention = esn::BitConvention::NonzeroAtLeastOne;
        let plan = runner::CostPlan { network: &quantized, hardware: &hardware, quantization, convention };
        let cost = runner::cost(&plan).expect("it is costed");
        let costs = row.costs.as_ref().expect("it has costs");
        assert_eq!(
            (costs.esn_d_macs, costs.esn_a, costs.nonzero),
            (cost.esn.esn_d_macs, cost.esn.esn_a(), cost.esn.nonzero)
        );
        let cycles: Vec<u128> = costs.hardware.iter().map(|hardware| hardware.cycles).collect();
        assert_eq!(cycles, cost.totals.iter().map(|total| total.run.cycles.0).collect::<Vec<_>>());
        let notes: Vec<String> = report.notes.iter().chain(&quantizing.notes).map(ToString::to_string).collect();
        assert_eq!(row.notes, notes);
    }
}

const QUIET: RunOptions<'_> = RunOptions { threads: 2, retry_failed: false, progress: &|_| {}, image: &|| {} };

const EIGHT_POINTS: &str = r#"
    networks = ["embedded"]
    reestimate = [false, true]
    images = { path = "embedded", limit = 12 }
    statistics = { path = "embedded", limit = 12 }
    [[prune]]
    [[prune]]
    each = [{ filters = { fraction = 0.2 } }]
    [[quantize]]
    bits = [2, 4]
"#;

fn entry(quantize: QuantizeOptions) -> PointEntry {
    PointEntry { network: None, prune: PruneOptions::default(), quantize: Some(quantize), reestimate: false }
}

fn bits(bits: u32) -> PointEntry {
    entry(QuantizeOptions { bits, ..QuantizeOptions::default() })
}

#[test]
fn points_that_are_asked_for_one_by_one_are_those_of_a_sweep() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [swept, asked] = ["swept", "asked"].map(|name| folder.path().join(name));
    let plan = parse(EIGHT_POINTS).expect("valid");
    let options = SweepOptions { shard: None, memory_bytes: 1 << 30, run: QUIET };
    let report = sweep(&plan, &swept, &options).expect("the embedded network runs");
    assert_eq!((report.points, report.run, report.failed), (8, 8, 0));

    let open = open(EIGHT_POINTS);
    // In another order than that of the plan, so that prunings come and go.
    for key in open.keys().iter().rev() {
        assert_eq!(open.run(&[key], &asked, &QUIET).expect("it runs").run, 1);
    }
    let [swept, asked] = [swept, asked].map(|path| Store::open_existing(&path).expect("there"));
    assert_eq!(asked.rows().expect("readable"), swept.rows().expect("readable"));
    assert_eq!(asked.plans().expect("readable"), swept.plans().expect("readable"));
    let key = |place: usize| open.keys()[place].parse::<PointKey>().expect("a key");
    let some = [key(3), PointKey([0; 16]), key(0)];
    let rows = asked.rows_of(&some).expect("readable");
    let found: Vec<Option<PointKey>> = rows.iter().map(|row| row.as_ref().map(|row| row.key)).collect();
    assert_eq!(found, [Some(some[0]), None, Some(some[2])]);
    assert!(swept.rows().expect("readable").contains(rows[0].as_ref().expect("it ran")));
}

#[test]
fn a_point_that_is_added_twice_runs_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("s");
    let open = open("networks = [\"embedded\"]\n[[quantize]]\nbits = [2, 3]");
    let of_plan = open.keys();
    assert_eq!(open.add(&bits(3)).expect("valid"), of_plan[1]);
    assert_eq!(open.keys(), of_plan);
    let added = open.add(&bits(5)).expect("valid");
    assert_eq!(open.add(&bits(5)).expect("valid"), added);
    assert_eq!(open.keys(), [of_plan.clone(), vec![added.clone()]].concat());
    assert_eq!(open.label(&added).expect("it is there"), "5 bits");
    let report = open.run(&[&added, &added], &store, &QUIET).expect("it runs");
    assert_eq!((report.points, report.found, report.run), (1, 0, 1));
    let report = open.run(&open.keys(), &store, &QUIET).expect("it runs");
    assert_eq!((report.points, report.found, report.run), (3, 1, 2));
}

#[test]
fn a_point_that_fails_is_stored_as_failed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("s");
    let open = open("networks = [\"embedded\"]");
    // 1 bit on mid-tread has no level but 0.
    let key = open.add(&entry(QuantizeOptions { bits: 1, mid_rise: false, ..QuantizeOptions::default() }));
    let keys = [key.expect("a plan takes it, too"), open.keys()[0].clone()];
    let report = open.run(&keys, &store, &QUIET).expect("the run goes on");
    assert_eq!((report.points, report.run, report.failed), (2, 2, 1));
    let rows = Store::open_existing(&store)
        .expect("there")
        .rows_of(&keys.iter().map(|key| key.parse().expect("a key")).collect::<Vec<_>>())
        .expect("readable");
    let status: Vec<Status> = rows.iter().flatten().map(|row| row.status()).collect();
    assert_eq!(status, [Status::Failed, Status::Done]);
    let report = open.run(&keys, &store, &QUIET).expect("nothing to do");
    assert_eq!((report.found, report.run, report.failed), (2, 0, 1));
    let again = RunOptions { retry_failed: true, ..QUIET };
    assert_eq!(open.run(&keys, &store, &again).expect("it fails again").run, 1);
}

#[test]
fn points_that_no_plan_takes_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = open("networks = [\"embedded\"]");
    let cases = [
        (bits(99), "quantize.bits"),
        (PointEntry { network: Some("other".to_string()), ..bits(4) }, "\"other\" is not in networks"),
        (PointEntry { reestimate: true, ..bits(4) }, "[statistics]"),
        (
            PointEntry { prune: PruneOptions { below: Some(2.0), ..PruneOptions::default() }, ..bits(4) },
            "below is 2; expected 0 to 1",
        ),
    ];
    check_all(cases, |(entry, expected)| {
        let error = open.add(entry).expect_err("refused");
        assert!(error.to_string().starts_with("p.toml: ") && error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::BadArgument);
    });
    assert_eq!(open.keys().len(), 1);
    let unknown = open.run(&["00"], &folder.path().join("s"), &QUIET).expect_err("refused").to_string();
    assert!(unknown.contains("no point has the key \"00\""), "{unknown}");
    assert!(!folder.path().join("s").exists());
}

#[test]
fn a_run_that_is_stopped_by_unwinding_keeps_what_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("s");
    let open = open(EIGHT_POINTS);
    let (images, written) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let image = || {
        if images.fetch_add(1, Ordering::Relaxed) >= 100 {
            resume_unwind(Box::new("stopped"));
        }
    };
    let progress = |progress: &Progress<'_>| written.store(progress.done, Ordering::Relaxed);
    let options = RunOptions { threads: 1, progress: &progress, image: &image, ..QUIET };
    let thrown = catch_unwind(AssertUnwindSafe(|| open.run(&open.keys(), &store, &options))).expect_err("stopped");
    assert_eq!(thrown.downcast_ref(), Some(&"stopped"));
    let written = written.into_inner();
    assert!((1..8).contains(&written), "{written}");
    let report = open.run(&open.keys(), &store, &QUIET).expect("it goes on");
    assert_eq!((report.points, report.found, report.run), (8, written, 8 - written));
}

#[test]
fn pruned_networks_are_shared_as_long_as_there_is_room() {
    let points = points(&open(EIGHT_POINTS));
    let same = |cache: &PrunedNetworks, a: usize, b: usize| {
        let first = cache.of(&points[a]);
        cache.of(&points[b]);
        Arc::ptr_eq(&first, &cache.of(&points[a]))
    };
    let (large, small) = (PrunedNetworks::new(1 << 30), PrunedNetworks::new(0));
    // Points 0 to 3 are not pruned, 4 to 7 are.
    assert!(same(&large, 0, 3) && same(&large, 4, 7) && same(&large, 0, 7) && same(&large, 7, 0));
    assert!(same(&small, 4, 7), "the last one that was asked for is always kept");
    assert!(!same(&small, 0, 7), "a pruned network has no room beside another");
}
