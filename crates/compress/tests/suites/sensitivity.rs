//! Is the error of a layer that of the whole network with this layer quantized, and does a budget go where it should?

use compress::{
    Choice, CompressError, Granularity, KernelExecutor, Original, QuantizeOptions, ReestimateOptions, Sensitivity,
    SensitivityPlan, StepRule, costs_of_choices, quantize, reestimate, sensitivity,
};
use esn::{BitConvention, LayerEsn};
use inference::{Samples, Session};
use network::architectures::{Architecture, Family, Shortcut, build};
use network::{LayerId, LayerWeights, MacLayer, Network};

use testkit::check_all;

use crate::reestimate::Numbers;

const IMAGES: Numbers = Numbers { count: 6, size: 3 * 8 * 8 };

/// ResNet-8 on images of 8 × 8 pixels, with BatchNorms.
fn small() -> Network {
    let family = Family::CifarResNet { depth: 8, shortcut: Shortcut::A };
    build(&Architecture { width: 0.25, input_size: 8, ..Architecture::new(family) }).expect("it can be made")
}

fn choice(bits: u32, mid_rise: bool) -> Choice {
    Choice { bits, mid_rise, granularity: Granularity::Layer, step: StepRule::MaxAbs }
}

/// ESN_d of every layer, equation (3), with c = output positions.
fn esn_d_of_layers(network: &Network) -> Result<Vec<u128>, CompressError> {
    let of_layer = |(index, layer): (usize, &MacLayer)| match network.weights(LayerId(index))? {
        LayerWeights::Quantized { codes, .. } => {
            Ok(LayerEsn::new(&codes, layer.geometry.positions(), BitConvention::default()).esn_d_macs)
        }
        LayerWeights::Float(_) => panic!("{} is quantized", layer.name),
    };
    network.layers().iter().enumerate().map(of_layer).collect()
}

fn measured(network: &Network, choices: &[Choice], reestimate: bool) -> Result<Sensitivity, CompressError> {
    sensitivity(&plan(network, choices, reestimate))
}

fn plan<'a>(network: &'a Network, choices: &'a [Choice], reestimate: bool) -> SensitivityPlan<'a> {
    SensitivityPlan {
        network,
        original: Original::from(network),
        images: &IMAGES,
        limit: 100,
        choices,
        cost: &esn_d_of_layers,
        reestimate,
        progress: &|_, _| {},
    }
}

/// Outputs of all images, computed one image after another.
fn outputs(network: &Network, renewed: bool) -> Vec<f32> {
    let renewed = renewed.then(|| reestimate(network, network, &IMAGES, &ReestimateOptions::default()).unwrap().0);
    let network = renewed.as_ref().unwrap_or(network);
    let (session, executor) = (Session::new(network).unwrap(), KernelExecutor::from_network(network).unwrap());
    let run = |index| session.run(&IMAGES.sample(index).unwrap().values, &executor, None).unwrap();
    (0..IMAGES.count).flat_map(run).collect()
}

/// The network with one layer of another.
fn with_layer(network: &Network, other: &Network, layer: usize) -> Network {
    let mut edited = network.edit();
    edited.layers_mut()[layer] = other.layers()[layer].clone();
    edited.finish().expect("the layer fits")
}

#[test]
fn the_error_of_a_layer_is_that_of_the_whole_network() {
    let network = small();
    let two_bits = QuantizeOptions { bits: 2, ..QuantizeOptions::default() };
    let (quantized, _) = quantize(&network, &two_bits).unwrap();
    check_all([false, true], |&renewed| {
        let found = measured(&network, &[choice(2, true)], renewed).unwrap();
        assert_eq!(found.layers.len(), network.layers().len());
        let real = outputs(&network, renewed);
        let classes = real.len() / IMAGES.count;
        let mean = |class: usize| (0..IMAGES.count).map(|i| f64::from(real[i * classes + class])).sum::<f64>() / 6.0;
        let spread: f64 = real.iter().enumerate().map(|(i, &y)| (f64::from(y) - mean(i % classes)).powi(2)).sum();
        for (layer, found) in found.layers.iter().enumerate() {
            let moved = outputs(&with_layer(&network, &quantized, layer), renewed);
            let squares = real.iter().zip(&moved).map(|(y, z)| (f64::from(*y) - f64::from(*z)).powi(2));
            let expected = squares.sum::<f64>() / spread;
            let error = found.choices[0].error;
            assert!((error / expected - 1.0).abs() < 1e-9, "layer {}: {error}, {expected}", found.layer);
        }
    });
}

#[test]
fn a_network_costs_what_its_allotment_says() {
    let network = small();
    let choices: Vec<Choice> = (2..=8).flat_map(|bits| [choice(bits, true), choice(bits, false)]).collect();
    let found = measured(&network, &choices, true).unwrap();
    let frontier = found.frontier();
    let (least, most) = (frontier[0].cost, frontier[frontier.len() - 1].cost);
    check_all([least, (least + most) / 3, (least + most) / 2, most], |&budget| {
        let chosen = found.allocate(budget).unwrap();
        assert!(chosen.cost <= budget, "{} of {budget}", chosen.cost);
        let (quantized, _) = quantize(&network, &chosen.options()).unwrap();
        let cost: u128 = esn_d_of_layers(&quantized).unwrap().into_iter().sum();
        assert_eq!(cost, chosen.cost);
    });
    assert!(frontier.windows(2).all(|pair| pair[0].cost < pair[1].cost && pair[0].error > pair[1].error));
    let message = found.allocate(least - 1).expect_err("too little").to_string();
    assert!(message.contains("the cheapest choices of all layers come to"), "{message}");
}

#[test]
fn costs_of_ways_are_those_of_measured_ones() {
    let network = small();
    let choices: Vec<Choice> = (2..=8).flat_map(|bits| [choice(bits, true), choice(bits, false)]).collect();
    let costs = costs_of_choices(&network, &choices, &esn_d_of_layers).unwrap();
    assert_eq!(costs.len(), choices.len());
    for (index, layer) in measured(&network, &choices, false).unwrap().layers.iter().enumerate() {
        for measured in &layer.choices {
            let way = choices.iter().position(|way| *way == measured.choice).expect("one of the ways");
            assert_eq!(costs[way][index], measured.cost, "{}: {:?}", layer.layer, measured.choice);
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let network = small();
    let choices = [choice(2, true), choice(3, false), choice(4, true)];
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| measured(&network, &choices, true).unwrap())
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn nothing_to_measure_is_refused() {
    let network = small();
    let message = measured(&network, &[], false).expect_err("no choice").to_string();
    assert!(message.starts_with("choices: there is none"), "{message}");
    let one = sensitivity(&SensitivityPlan { limit: 1, ..plan(&network, &[choice(2, true)], false) });
    let message = one.expect_err("one image tells nothing").to_string();
    assert!(message.starts_with("images: the network says the same of 1 of them"), "{message}");
}
