//! Are the weights of a network told from what else a file holds, and counted once?

use formats::ReadOptions;
use formats::weight_writer::{WeightFormat, WeightList};
use network::architectures::Family;
use network::{Mend, Network};
use testkit::{check_all, texts};

use crate::torch::{Checkpoint, Element};
use crate::weight_files::{floats, network, npy, problem, safetensors, zip};

/// Names of tensors of shape [2, 3], as each format has them.
fn in_every_format(names: &[&str]) -> [Vec<u8>; 3] {
    let data = floats(&[0.5; 6]);
    let mut checkpoint = Checkpoint::default();
    names.iter().for_each(|name| checkpoint.add(name, &[2, 3], Element::F32, &data));
    let entry = |(i, name): (usize, &&str)| {
        format!(r#""{name}":{{"dtype":"F32","shape":[2,3],"data_offsets":[{},{}]}}"#, 24 * i, 24 * i + 24)
    };
    let header: Vec<String> = names.iter().enumerate().map(entry).collect();
    let array = npy("<f4", "(2, 3)", &data);
    let files: Vec<String> = names.iter().map(|name| format!("{name}.npy")).collect();
    let entries: Vec<(&str, &[u8])> = files.iter().map(|name| (name.as_str(), array.as_slice())).collect();
    [
        checkpoint.zip(),
        safetensors(&format!("{{{}}}", header.join(",")), &data.repeat(names.len())),
        zip(&entries, false),
    ]
}

fn layers(network: &Network) -> Vec<&str> {
    network.layers().iter().map(|layer| layer.name.as_str()).collect()
}

#[test]
fn an_optimizer_beside_a_network_is_left_out() {
    let names = ["g.conv.weight", "opt_g.state.0.exp_avg", "opt_g.state.0.exp_avg_sq", "scheduler.x"];
    check_all(in_every_format(&names), |bytes| {
        let network = network(bytes.clone()).expect("it holds a network");
        assert_eq!(layers(&network), ["g.conv"]);
        let note = "left out is the state of an optimizer: 3 tensors under \"opt_g.state\", \"scheduler\"";
        assert!(texts(network.notes()).iter().any(|text| text == note), "{:?}", network.notes());
    });
}

#[test]
fn an_optimizer_alone_is_no_network() {
    check_all(in_every_format(&["state.0.exp_avg", "state.0.exp_avg_sq", "state.1.exp_avg"]), |bytes| {
        let text = problem(network(bytes.clone()));
        assert!(text.contains("unsupported: it holds the state of an optimizer (3 tensors under \"state\")"), "{text}");
    });
    let mut nested = Checkpoint::default();
    nested.under = Some("state");
    nested.add("0.momentum_buffer", &[2, 3], Element::F32, &floats(&[0.5; 6]));
    assert!(problem(network(nested.zip())).contains("(1 tensor under \"state\")"));
}

/// Each tensor has 2 × 3 = 6 weights.
#[test]
fn of_copies_one_is_taken() {
    let cases: [(&[&str], &[&str], &str); 8] = [
        (
            &[
                "module.encoder_q.a.weight",
                "module.encoder_q.fc.weight",
                "module.encoder_k.a.weight",
                "module.encoder_k.fc.weight",
            ],
            &["encoder_q.a", "encoder_q.fc"],
            "\"module.encoder_k\" (2 tensors, 12 weights) is a copy of \"module.encoder_q\"; it is left out",
        ),
        (
            &["d.a.weight", "g.a.weight", "g_ema.a.weight"],
            &["d.a", "g.a"],
            "\"g_ema\" (1 tensor, 6 weights) is a copy of \"g\"",
        ),
        (
            &["teacher.a.weight", "teacher.b.weight", "student.a.weight", "student.b.weight"],
            &["student.a", "student.b"],
            "\"teacher\" (2 tensors, 12 weights) is a copy of \"student\"",
        ),
        (
            &["policy_net.a", "policy_net.b", "target_net.a", "target_net.b"],
            &["policy_net.a", "policy_net.b"],
            "is a copy of \"policy_net\"",
        ),
        (
            &["critic.a", "critic.b", "critic_target.a", "critic_target.b"],
            &["critic.a", "critic.b"],
            "is a copy of \"critic\"",
        ),
        (&["model.a.b.weight", "model_ema.abweight"], &["model.a.b"], "is a copy of \"model\""),
        (
            &["a.weight", "ema.module.a.weight"],
            &["a"],
            "\"ema\" (1 tensor, 6 weights) is a copy of the weights beside it",
        ),
        (
            &["a.weight", "module.a.weight"],
            &["a"],
            "\"module\" (1 tensor, 6 weights) is a copy of the weights beside it",
        ),
    ];
    check_all(cases, |(names, expected, note)| {
        for bytes in in_every_format(names) {
            let network = network(bytes).expect("it holds a network");
            assert_eq!(layers(&network), *expected);
            let told = network.notes().iter().find(|told| told.text().contains(note));
            assert_eq!(told.expect("it is told").mend(), Some(Mend::NameState), "{:?}", network.notes());
        }
    });
}

#[test]
fn what_only_looks_like_a_copy_stays() {
    let cases: [&[&str]; 10] = [
        &["attn.query_net.weight", "attn.key_net.weight"],
        &["attn.query_net.a", "attn.query_net.b", "attn.key_net.a", "attn.key_net.b"],
        &["attn.query_encoder.weight", "attn.key_encoder.weight"],
        &["source_encoder.a", "source_encoder.b", "target_encoder.a", "target_encoder.b"],
        &["policy_net.head", "target_net.head"],
        &["layer1.0.weight", "layer1.1.weight"],
        &["attention.q.weight", "attention.k.weight"],
        &["self.query.weight", "self.key.weight"],
        &["net.a.weight", "ema.b.weight"],
        &["ema.a.weight", "model_ema.a.weight"],
    ];
    check_all(cases, |names| {
        let network = network(in_every_format(names)[0].clone()).expect("it holds a network");
        assert_eq!(network.layers().len(), names.len(), "{:?}", network.notes());
    });
}

/// A wrapper around each layer comes before the average of all.
#[test]
fn copies_are_found_behind_many_names() {
    let wrapped = |within: &str| (0..70).map(|i| format!("{within}.layer{i}.module.weight")).collect::<Vec<_>>();
    let names = [wrapped("net"), wrapped("ema")].concat();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let network = network(in_every_format(&names)[1].clone()).expect("it holds a network");
    assert_eq!(network.layers().len(), 70, "{:?}", network.notes());
    let notes = texts(network.notes());
    let told = |text: &str| assert!(notes.iter().any(|note| note.contains(text)), "{notes:?}");
    told("\"ema\" (70 tensors, 420 weights) is a copy of \"net\"");
    told("141 modules have names that copies of a network have; only the first 64 of them");
}

#[test]
fn a_module_called_state_is_no_optimizer() {
    let names = ["actor.state.0.weight_ih_l0", "actor.state.0.bias_hh_l0", "actor.state.1.running_mean"];
    check_all(in_every_format(&names), |bytes| {
        let network = network(bytes.clone()).expect("it holds a network");
        assert_eq!(layers(&network), names, "{:?}", network.notes());
    });
}

#[test]
fn a_state_is_chosen_by_its_name() {
    let read = |bytes: &[u8], state: &str| {
        let options = ReadOptions { state: Some(state.to_string()), ..ReadOptions::default() };
        formats::from_bytes("weights", bytes.to_vec().into(), &options)
    };
    check_all(in_every_format(&["module.q.a.weight", "module.ema.a.weight", "module.head.weight"]), |bytes| {
        let network = read(bytes, "ema").expect("it holds this state");
        assert_eq!(layers(&network), ["ema.a"]);
        let note = "weights are those under \"ema\"; left out are those under \"head\" (1 tensor, 6 weights), \"q\" (1 \
                    tensor, 6 weights)";
        assert!(texts(network.notes()).iter().any(|text| text == note), "{:?}", network.notes());
        let text = problem(read(bytes, "best"));
        assert!(text.contains("no tensor stands under \"best\"; they stand under \"ema\", \"head\", \"q\""), "{text}");
    });
    let names = ["student.module.backbone.a.weight", "teacher.backbone.a.weight"];
    check_all(in_every_format(&names), |bytes| {
        let text = problem(read(bytes, "backbone"));
        let expected = "2 modules are called \"backbone\": \"student.module.backbone\", \"teacher.backbone\"; expected the \
                        path of one";
        assert!(text.contains(expected), "{text}");
        assert_eq!(layers(&read(bytes, "teacher.backbone").expect("one module")), ["teacher.backbone.a"]);
    });
    let mut nested = Checkpoint::default();
    nested.under = Some("averaged");
    nested.add("a.weight", &[2, 3], Element::F32, &floats(&[0.5; 6]));
    assert_eq!(layers(&read(&nested.zip(), "averaged").expect("a key of the file")), ["a"]);
}

/// Two names of 2 × 3 weights at one place, and a third tensor of as many elsewhere.
#[test]
fn tied_weights_count_once() {
    let mut tied = Checkpoint::default();
    let data = floats(&[0.5; 6]);
    tied.add("enc.weight", &[2, 3], Element::F32, &data);
    tied.add_tied("dec.weight", 0);
    tied.add("fc.weight", &[2, 3], Element::F32, &data);
    check_all([tied.zip(), tied.legacy()], |bytes| {
        let network = network(bytes.clone()).expect("it is valid");
        assert_eq!(layers(&network), ["enc", "fc"]);
        let note = "names of the same elements: \"dec.weight\" is \"enc.weight\"; they count once, and a file that is \
                    written has them once";
        assert!(texts(network.notes()).iter().any(|text| text == note), "{:?}", network.notes());
        let list = WeightList::new(&network, WeightFormat::Safetensors, &[]).expect("it can be written");
        let written: Vec<&str> = list.tensors().map(|(name, _)| name).collect();
        assert_eq!(written, ["enc.weight", "fc.weight"]);
    });
}

/// Two uses of 6 weights at 4 and 5 positions, and 6 weights at one.
#[test]
fn with_a_topology_each_name_of_tied_weights_has_its_macs() {
    let mut tied = Checkpoint::default();
    let data = floats(&[0.5; 6]);
    tied.add("enc.weight", &[2, 3], Element::F32, &data);
    tied.add_tied("dec.weight", 0);
    tied.add("fc.weight", &[2, 3], Element::F32, &data);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let topology = folder.path().join("layers.csv");
    std::fs::write(&topology, "Layer, M, N, K,\nenc, 4, 2, 3,\ndec, 5, 2, 3,\nfc, 1, 2, 3,\n").expect("writable");
    let options = ReadOptions { topology: Some(topology), ..ReadOptions::default() };
    let network = formats::from_bytes("w", tied.zip().into(), &options).expect("rows and tensors agree");
    let positions: Vec<u64> = network.layers().iter().map(|layer| layer.geometry.positions()).collect();
    assert_eq!((layers(&network), positions), (vec!["enc", "dec", "fc"], vec![4, 5, 1]));
    let note =
        "layers with one tensor of weights: dec has those of enc; each weight counts once, and MACs for each layer";
    let notes = texts(network.notes());
    assert_eq!(notes.iter().filter(|text| *text == note).count(), 1, "{notes:?}");
    assert_eq!(network.parameter_count(), 12);
}

/// A transformer's tensors: by name and shape two of them are layers. What is no layer is written all the same.
#[test]
fn what_only_looks_like_a_layer_is_none() {
    let tensors: [(&str, &[usize]); 6] = [
        ("cls_token", &[1, 1, 2]),
        ("pos_embed", &[1, 5, 2]),
        ("patch_embed.proj.weight", &[2, 3, 2, 2]),
        ("blocks.0.gamma", &[2, 1, 1]),
        ("blocks.0.fc.weight", &[2, 2]),
        ("queue", &[2, 2]),
    ];
    let mut checkpoint = Checkpoint::default();
    for (name, shape) in tensors {
        checkpoint.add(name, shape, Element::F32, &floats(&vec![0.5; shape.iter().product()]));
    }
    let read = |layers: &[&str]| {
        let layers = layers.iter().map(|pattern| pattern.to_string()).collect();
        formats::from_bytes("w", checkpoint.zip().into(), &ReadOptions { layers, ..ReadOptions::default() })
    };
    let network = read(&[]).expect("it is valid");
    assert_eq!(layers(&network), ["patch_embed.proj", "blocks.0.fc"]);
    let told = texts(network.notes());
    let notes = [
        "\"queue\": by the name features that training stored, and no layer",
        "\"cls_token\", \"pos_embed\": by the name a token or positions, which are added, and no layer",
        "\"blocks.0.gamma\": by name and shape a factor of each channel, and no layer",
        "\"patch_embed.proj.weight\": by the shape a convolution, whatever the name says; it is costed as a layer",
    ];
    check_all(notes, |note| assert!(told.iter().any(|text| text == note), "{told:?}"));
    let list = WeightList::new(&network, WeightFormat::Npz, &[]).expect("it can be written");
    assert_eq!(list.tensors().count(), tensors.len());
    assert_eq!(layers(&read(&["*.gamma", "queu?"]).expect("two names match")), ["blocks.0.gamma", "queue"]);
    let text = problem(read(&["*.fc.*", "conv*"]));
    assert!(text.contains("no tensor has a name like \"conv*\"; it has \"cls_token\", \"pos_embed\""), "{text}");
    let both =
        ReadOptions { architecture: Family::named("resnet8"), layers: vec!["*".to_string()], ..Default::default() };
    let text = problem(formats::from_bytes("w", checkpoint.zip().into(), &both));
    assert!(text.contains("an architecture has its own layers"), "{text}");
}

/// What a decision says holds of what became a layer alone.
#[test]
fn tables_of_integers_are_not_told_as_layers() {
    let data = floats(&[0.5; 6]);
    let header = r#"{"embeddings.position_ids":{"dtype":"I64","shape":[1,3],"data_offsets":[0,24]},
        "embeddings.word_embeddings.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[24,48]}}"#;
    let network = network(safetensors(header, &data.repeat(2))).expect("it holds a network");
    assert_eq!(layers(&network), ["embeddings.word_embeddings"]);
    assert_eq!(network.not_costed()[0].node, "embeddings.position_ids");
    let told = texts(network.notes());
    let note = "\"embeddings.word_embeddings.weight\": by the name a table that is looked up; it is costed as a layer";
    assert!(told.iter().any(|text| text == note), "{told:?}");
}
