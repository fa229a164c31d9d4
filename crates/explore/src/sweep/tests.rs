use testkit::check_all;

use super::*;

fn parse(text: &str) -> Result<Plan, String> {
    Plan::parse(Path::new("p.toml"), text).map_err(|e| e.to_string())
}

fn labels(text: &str) -> Vec<String> {
    let mut inputs = Inputs::open(&parse(text).expect("valid"), 1 << 20).expect("the embedded network is there");
    inputs.take_points().iter().map(|point| point.configuration.label()).collect()
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
        let inputs = Inputs::open(&plan.expect("valid"), 1 << 20).map_err(|error| network::chain(&error))?;
        Ok::<_, String>(inputs.hardware.iter().map(|hardware| hardware.engine.name().to_string()).collect::<Vec<_>>())
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
fn a_key_is_of_what_the_result_depends_on() {
    let keys = |text: &str| {
        let inputs = Inputs::open(&parse(text).expect("valid"), 1 << 20).expect("there");
        inputs.keys().map(str::to_string).collect::<Vec<_>>()
    };
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
    let open = |text: &str| Inputs::open(&parse(text).expect("valid"), 1 << 20).err().expect("refused").to_string();
    assert!(open("networks = [\"no.onnx\"]").contains("no.onnx"));
    assert!(open("networks = [\"embedded\", \"embedded\"]").contains("twice"));
    assert!(open("networks = [\"embedded\"]\nhardware = [\"no.toml\"]").contains("no.toml"));
    assert!(open("networks = [\"embedded\"]\nhardware = [\"ideal\", \"ideal\"]").contains("ideal-analog"));
    assert!(open("networks = [\"embedded\"]\n[images]\npath = \"no.bin\"").contains("no.bin"));
}

#[test]
fn shards_part_the_points() {
    let points = |shard| {
        let text = "networks = [\"embedded\"]\n[[quantize]]\nbits = [1, 2, 3, 4, 5]";
        let mut inputs = Inputs::open(&parse(text).expect("valid"), 1 << 20).expect("there");
        of_shard(inputs.take_points(), shard).iter().map(|point| point.configuration.label()).collect::<Vec<_>>()
    };
    assert_eq!(points(Some(Shard { index: 2, of: 3 })), ["2 bits", "5 bits"]);
    assert_eq!(points(None).len(), 5);
    assert!(points(Some(Shard { index: 9, of: 9 })).is_empty());
}

#[test]
fn methods_are_those_of_the_paper() {
    let method = |prune: Option<f64>, bits| {
        let text = "networks = [\"embedded\"]\n[[point]]";
        let mut inputs = Inputs::open(&parse(text).expect("valid"), 1 << 20).expect("there");
        let mut configuration = inputs.take_points().remove(0).configuration;
        configuration.quantize = Some(compress::QuantizeOptions { bits, ..Default::default() });
        configuration.prune = prune.map(|below| compress::PruneOptions { below: Some(below), ..Default::default() });
        configuration.method()
    };
    assert_eq!(method(None, 8), Method::QuantizeOnly);
    assert_eq!(method(Some(0.1), 8), Method::PruneOnly);
    assert_eq!(method(Some(0.1), 7), Method::PruneThenQuantize);
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
        ("{ from = 0, to = 9223372036854775807 }", "a range of over 1000000 numbers"),
        ("{ from = -9223372036854775807, to = 9223372036854775807 }", "a range of over 1000000 numbers"),
    ];
    check_all(cases, |(wrong, expected)| {
        let message = refused(wrong);
        assert!(message.starts_with("p.toml: line 3, in [[quantize]]: ") && message.contains(expected), "{message}");
    });
}
