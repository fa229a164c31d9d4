//! What a plan says: its points, their keys and labels.

use super::*;

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
    assert_eq!(labels[23], "weights −50 %, per filter S/N 100, at most 4 bits, re-estimated");
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
    let labels = |images: &str| labels(&format!("networks = [\"embedded\"]\n{images}\n{}{}", point(2), point(3)));
    let of_search = labels("[images]\npath = \"embedded\"\nlimit = 9");
    assert!(
        of_search[0].starts_with("3 layers of their own 2 to 4 bits, any other 8 bits, point "),
        "{}",
        of_search[0]
    );
    assert_ne!(of_search[0], of_search[1]);
    // Judged on other images, a point has the same name, though another key.
    assert_eq!(labels("[images]\npath = \"embedded\"\nlimit = 8"), of_search);
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
        (
            "networks = [\"embedded\"]\n[[prune]]\neach = [{ filter = { fraction = 0.5 } }]",
            "line 3, in [[prune]]: each: there is no \"filter\"; expected filters, weights, pattern; did you mean filters?",
        ),
        (
            "networks = [\"embedded\"]\n[[prune]]\neach = [{ weights = 0.5, scope = \"layer\" }]",
            "line 3, in [[prune]]: each is [{ weights = 0.5, scope = \"layer\" }]; expected a table of one key",
        ),
        (
            "networks = [\"embedded\"]\n[[prune]]\neach = [{ filters = 0.5 }]",
            "line 3, in [[prune]]: each is [{ filters = 0.5 }]; expected a word, or a table of one key",
        ),
        (
            "networks = [\"embedded\"]\n[[prune]]\neach = [{ weights = \"0.1-0.3\" }]",
            "expected a number, or a range as \"0.1..0.5 step 0.1\", not \"0.1-0.3\"",
        ),
        ("networks = [\"embedded\"]\n[[prune]]\nbelow = [0.1, 2.0]", "below is 2"),
        (
            "networks = [\"embedded\"]\n[[prune]]\nscope = \"layer\"",
            "prune: scope says how, and nothing is pruned; expected each, prunings or below beside it",
        ),
        ("networks = [\"embedded\"]\n[[prune]]\ncompact = true", "prune: compact says how, and nothing is pruned"),
        ("networks = [\"embedded\"]\n[[point]]\nprune = { bits = 4 }", "prune: bits says how, and nothing is pruned"),
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
