//! Does the branch that an If takes stand in its place?

use formats::onnx::proto::{FunctionProto, ModelProto, TensorProto};
use network::{LayerId, LayerWeights, Network, Node, NotCosted, ValueId, WeightValues};
use prost::Message;

use testkit::*;

use crate::questions::*;

/// A layer from `x` of shape `[1, 2, 4, 4]` to `a`.
fn with_layer() -> Model {
    model().input("x", &[0, 2, 4, 4]).weights("w", &[2, 2, 1, 1]).node("Conv", &["x", "w"], &["a"])
}

/// A branch that returns `op(a)`.
fn one(op: &str) -> Model {
    model().returning("inner").node(op, &["a"], &["inner"])
}

fn condition(holds: bool) -> TensorProto {
    bools("c", &[], &[holds])
}

/// Name, operator, inputs and outputs of every node.
fn nodes(network: &Network) -> Vec<String> {
    let graph = network.graph();
    let names =
        |ids: Vec<ValueId>| ids.into_iter().map(|id| graph.value(id).name.as_str()).collect::<Vec<_>>().join(", ");
    let node = |node: &Node| {
        let inputs = names(node.inputs.iter().flatten().copied().collect());
        format!("{}: {}({inputs}) -> {}", node.name, node.op_type, names(node.outputs.clone()))
    };
    graph.nodes().iter().map(node).collect()
}

fn not_costed(model: &Model) -> Vec<(String, String)> {
    let network = model.read();
    network.not_costed().iter().map(|NotCosted { node, reason, .. }| (node.clone(), reason.clone())).collect()
}

#[test]
fn a_condition_that_is_known_chooses_the_branch() {
    let stored = |holds| with_layer().tensor(condition(holds));
    let constant =
        |holds| with_layer().node_with("Constant", &[], &["c"], vec![tensor("value", bools("", &[1], &[holds]))]);
    // Whether the input has so many channels, as PyTorch writes it for `squeeze`.
    let folded = |channels| {
        let model = with_layer().ints("one", &[1]).ints("n", &[channels]);
        model.node("Shape", &["x"], &["s"]).node("Gather", &["s", "one"], &["k"]).node("Equal", &["k", "n"], &["c"])
    };
    let cases = [
        ((stored(true), "Relu"), "stored, true"),
        ((stored(false), "Tanh"), "stored, false"),
        ((constant(true), "Relu"), "Constant, true"),
        ((constant(false), "Tanh"), "Constant, false"),
        ((folded(2), "Relu"), "folded, true"),
        ((folded(3), "Tanh"), "folded, false"),
    ];
    check_all(cases, |((model, taken), _)| {
        let network = model.clone().branches("y", [one("Relu"), one("Tanh")]).read();
        assert_eq!(nodes(&network), ["Conv_a: Conv(x) -> a", &format!("If_y/{taken}_inner: {taken}(a) -> y")]);
        assert_eq!(output_shape(&network), [1, 2, 4, 4]);
        assert!(network.notes().is_empty() && network.not_costed().is_empty());
    });
}

#[test]
fn layers_of_the_taken_branch_are_costed_with_weights_from_inside_and_outside() {
    // Weights 3 · 0.5 and -1 · 0.5 are the branch's own; 1, 2, …, 16 are the graph's.
    let inside = model()
        .returning("product")
        .int8s("q", &[1, 2, 1, 1], &[3, -1])
        .floats("step", &[], &[0.5])
        .node("DequantizeLinear", &["q", "step"], &["k"])
        .node("Conv", &["a", "k"], &["narrow"])
        .node("Flatten", &["narrow"], &["flat"])
        .node("MatMul", &["flat", "outer"], &["product"]);
    let network = with_layer().weights("outer", &[16, 1]).tensor(condition(true)).branches("y", [inside, one("Relu")]);
    let network = network.read();
    let names: Vec<&str> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["Conv_a", "If_y/Conv_narrow", "If_y/MatMul_product"]);
    assert_eq!(codes(&network, 1), (vec![6, -2], vec![0.5]));
    let expected: Vec<f32> = (1..=16).map(|i| i as f32).collect();
    let real = network.weights(LayerId(2)).expect("valid weights");
    assert_eq!(real, LayerWeights::Float(WeightValues::F32(expected)));
    assert_eq!(output_shape(&network), [1, 1]);
}

#[test]
fn names_of_a_branch_do_not_clash() {
    // Both branches, and a second If, call their values as the graph does.
    let branch = |op| {
        let hidden = model().returning("y").tensor(bools("w", &[], &[true])).node(op, &["a"], &["b"]);
        hidden.node("Neg", &["b"], &["y"])
    };
    let network = with_layer()
        .tensor(condition(true))
        .branches("b", [branch("Relu"), branch("Tanh")])
        .node("Abs", &["b"], &["If_z/b"])
        .branches("z", [branch("Exp"), branch("Tanh")])
        .node("Add", &["If_z/b", "z"], &["y"])
        .read();
    let expected = [
        "Conv_a: Conv(x) -> a",
        "If_b/Relu_b: Relu(a) -> If_b/b",
        "If_b/Neg_y: Neg(If_b/b) -> b",
        "Abs_If_z/b: Abs(b) -> If_z/b",
        "If_z/Exp_b: Exp(a) -> If_z/b#2",
        "If_z/Neg_y: Neg(If_z/b#2) -> z",
        "Add_y: Add(If_z/b, z) -> y",
    ];
    assert_eq!(nodes(&network), expected);
}

#[test]
fn branches_within_branches_see_all_graphs_around_them() {
    let innermost = model().returning("i").node("Add", &["a", "m"], &["i"]);
    let middle = model().returning("o").node("Neg", &["a"], &["m"]).branches("t", [innermost, one("Relu")]).node(
        "Abs",
        &["t"],
        &["o"],
    );
    let network = with_layer().tensor(condition(true)).branches("y", [middle, one("Relu")]).read();
    let expected = [
        "Conv_a: Conv(x) -> a",
        "If_y/Neg_m: Neg(a) -> If_y/m",
        "If_y/If_t/Add_i: Add(a, If_y/m) -> If_y/t",
        "If_y/Abs_o: Abs(If_y/t) -> y",
    ];
    assert_eq!(nodes(&network), expected);
}

#[test]
fn what_a_branch_reads_is_made_before_its_if() {
    // The If comes first in the file; only its branch reads what the layer makes.
    let network = model()
        .input("x", &[0, 2, 4, 4])
        .weights("w", &[2, 2, 1, 1])
        .tensor(condition(false))
        .branches("y", [one("Relu"), one("Tanh")])
        .node("Conv", &["x", "w"], &["a"])
        .read();
    assert_eq!(nodes(&network), ["Conv_a: Conv(x) -> a", "If_y/Tanh_inner: Tanh(a) -> y"]);
}

#[test]
fn a_branch_may_return_a_constant_or_what_is_around_it() {
    // The branch gives the shape [1, 32], which a Reshape needs as a constant.
    let given = model().returning("shape").ints("shape", &[1, 32]);
    let other = model().returning("shape").ints("shape", &[1, 1, 32]);
    let shaped =
        with_layer().tensor(condition(true)).branches("s", [given, other]).node("Reshape", &["a", "s"], &["y"]);
    assert_eq!(output_shape(&shaped.read()), [1, 32]);

    let same = model().returning("a");
    let network = with_layer().tensor(condition(true)).branches("b", [same, one("Relu")]).node("Neg", &["b"], &["y"]);
    assert_eq!(nodes(&network.read())[1..], ["Neg_y: Neg(a) -> y"]);
}

#[test]
fn a_condition_that_is_not_known_takes_no_branch() {
    let branches = || [one("Relu"), one("Tanh")];
    let summed = with_layer()
        .node_with("ReduceSum", &["x"], &["sum"], vec![int("keepdims", 0)])
        .floats("zero", &[], &[0.0])
        .node("Greater", &["sum", "zero"], &["c"]);
    let depends = "its condition depends on the input of the network";
    let expected = ("If_z".to_string(), depends.to_string());
    assert_eq!(not_costed(&summed.clone().branches("z", branches()).returning_all(&["a", "z"])), [expected]);
    let verdict = format!("not run and not costed: {depends}; the shape of its output is not known");
    let note = format!("operator If (node \"If_z\") is {verdict}");
    assert_eq!(texts(summed.branches("z", branches()).returning_all(&["a", "z"]).read().notes()), [note]);

    let unfolded = with_layer().tensor(condition(true)).tensor(raw("text", 8, &[], vec![]));
    let unfolded = unfolded.node("Equal", &["text", "text"], &["d"]);
    let mut unfolded = unfolded.branches("z", branches()).returning_all(&["a", "z"]);
    unfolded.graph.node.last_mut().expect("the If").input[0] = "d".to_string();
    let reason = "its condition comes from an operator that is not folded".to_string();
    assert_eq!(not_costed(&unfolded), [("If_z".to_string(), reason)]);
}

#[test]
fn wrong_branches_are_refused() {
    let with = |c| with_layer().tensor(c);
    let relu = || [one("Relu"), one("Tanh")];
    let cases = [
        (with(bools("c", &[2], &[true, true])).branches("y", relu()), "condition of type bool and shape [2]"),
        (with(ints("c", &[], &[1])).branches("y", relu()), "condition of type int64 and shape []"),
        (with(condition(true)).node("If", &["c"], &["y"]), "\"then_branch\" holds no graph"),
        (with(condition(true)).branches("y", [one("Relu").input("i", &[1]), one("Tanh")]), "1 inputs of its branch"),
        (
            with(condition(true)).branches("y", [one("Relu").returning("nobody"), one("Tanh")]),
            "\"nobody\" is made by no",
        ),
        (with(condition(true)).branches("y", [one("Relu").node("Neg", &["n"], &["m"]), one("Tanh")]), "input \"n\""),
    ];
    check_all(cases, |(model, problem)| {
        let message = model.error();
        assert!(message.contains("If_y") && message.contains(problem), "{message}");
    });
    let mut two = with(condition(true)).branches("y", relu());
    two.graph.node[1].output.push("second".to_string());
    assert!(two.error().contains("1 outputs of its branch \"g\"; expected 2"), "{}", two.error());
    // A fault within a branch has the name of the node there.
    let fault = model().returning("i").node("Conv", &["a"], &["i"]);
    let message = with(condition(true)).branches("y", [fault, one("Tanh")]).error();
    assert!(message.contains("node \"If_y/Conv_i\""), "{message}");
    // Nobody looks at the branch that is not taken.
    let broken = model().returning("i").node("Conv", &["nobody"], &["i"]);
    assert_eq!(nodes(&with(condition(false)).branches("y", [broken, one("Tanh")]).read()).len(), 2);
}

#[test]
fn functions_and_branches_hold_each_other() {
    // outer(in) = inner(in) if true, Tanh(in) if not; inner(in) = Neg(Abs(in)).
    let function = |name: &str, body: Model| FunctionProto {
        name: name.to_string(),
        domain: "local".to_string(),
        input: vec!["in".to_string()],
        output: vec!["out".to_string()],
        node: body.graph.node,
        ..Default::default()
    };
    let call = model().returning("b").node("local:inner", &["in"], &["b"]);
    let other = model().returning("b").node("Tanh", &["in"], &["b"]);
    let holds = tensor("value", bools("", &[], &[true]));
    let outer = model().node_with("Constant", &[], &["c"], vec![holds]).branches("out", [call, other]);
    let inner = model().node("Abs", &["in"], &["m"]).node("Neg", &["m"], &["out"]);
    let graph = with_layer().node("local:outer", &["a"], &["y"]);
    let mut file = ModelProto::decode(graph.bytes().as_slice()).expect("just encoded");
    file.functions = vec![function("outer", outer), function("inner", inner)];
    let network = formats::from_bytes("test.onnx", file.encode_to_vec().into(), &Default::default()).expect("valid");
    let operators: Vec<&str> = network.graph().nodes().iter().map(|node| node.op_type.as_str()).collect();
    assert_eq!(operators, ["Conv", "Abs", "Neg"]);
    let graph = network.graph();
    assert_eq!(graph.value(graph.nodes()[1].inputs[0].expect("it reads")).name, "a");
    assert_eq!(graph.value(graph.outputs()[0]).name, "y");
}
