//! Lists and ranges of a plan, and samples of their product.

use super::*;

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
        ("{ from = 4, to = 2 }", "expected a range from its lower end to its upper one"),
        ("{ from = 2 }", "expected a range as"),
        ("{ to = 2 }", "expected a range as"),
        ("{ from = 2, to = 8, by = 2 }", "without the key \"by\""),
        ("{ from = 2, to = 8, step = 0 }", "expected a range with a step above 0"),
        ("{ from = 2, to = 8, step = 4 }", "expected a range that ends on its upper end"),
        ("{ from = 2, to = 8, step = 0.5 }", "expected a whole step in a range of whole numbers"),
        ("{ from = 0.1, to = 0.5 }", "expected a range of fractions with a step"),
        ("{ from = 0.1, to = 0.45, step = 0.1 }", "expected a range that ends on its upper end"),
        ("{ from = 0.1, to = inf, step = 0.1 }", "expected a range of at most 1,000,000 numbers"),
        ("{ from = 0.1, to = nan, step = 0.1 }", "expected a range from its lower end to its upper one"),
        ("\"8..2\"", "expected a range from its lower end to its upper one"),
        ("\"2..\"", "expected a range as"),
        ("\"2..8 by 2\"", "bits is \"2..8 by 2\"; expected a range as"),
        ("\"2...8\"", "bits is \"2...8\"; expected a range as"),
        ("[2, \"2-8\"]", "expected a whole number, or a range as \"2..8\", not \"2-8\""),
        ("[2,\n \"8..2\"]", "bits: expected a range from its lower end to its upper one, not \"8..2\""),
        ("\"2..8 step 0.5\"", "expected a whole step in a range of whole numbers"),
        ("\"0.1..0.5\"", "expected a range of fractions with a step"),
        ("\"1..9 step 3\"", "expected a range that ends on its upper end"),
        ("{ from = 0, to = 9223372036854775807 }", "expected a range of at most 1,000,000 numbers"),
        ("{ from = -9223372036854775807, to = 9223372036854775807 }", "expected a range of at most 1,000,000 numbers"),
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
    assert_eq!(plan(profile), ["ESN_a profile, at most 4 bits"]);
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
        ("sample = 0", "line 2: sample is 0; expected a whole number from 1 on"),
        ("sample = -5", "line 2: sample is -5; expected a whole number from 1 on"),
        ("sample = 99999999", "sample is 99999999; expected 1 to 10,000,000"),
        ("[[quantize]]\nbits = \"2..99\"", "quantize.bits: a bit width is 1 to 16, not 99"),
        ("[quantize.bits-of-layers]\n\"*\" = 4", "[quantize.bits-of-layers] is a table; expected an entry of a list"),
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
