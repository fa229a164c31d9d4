//! Does a simulation find in its stages what it finds in one go, and tell how far it is?

use std::sync::Mutex;

use ::esn::BitConvention;
use esnsim::{
    Allocate, CompressOptions, Error, EvaluateOptions, Grid, ImageRequest, Layout, OpenOptions, Progress, Quiet,
    SimulateOptions, Simulation, Stage, allocation, compress, esn, hardware, images, open, simulate,
};
use explore::pareto::Cost;
use inference::{Sample, SampleError, Samples};
use network::{Cause, ErrorKind, chain};
use runner::{LayerCost, Quantization};
use testkit::check_all;

/// A stage, its parts when it began, and those done when it ended.
type Told = (Stage, u64, u64);

/// Keeps what it is told: the stages, and how many parts were done in all.
#[derive(Default)]
struct Heard(Mutex<(Vec<Told>, u64)>);

impl Progress for Heard {
    fn begin(&self, stage: Stage, total: u64) {
        self.0.lock().expect("nobody panics").0.push((stage, total, 0));
    }

    fn advance(&self, count: u64) {
        self.0.lock().expect("nobody panics").1 += count;
    }

    fn end(&self, _: Stage, done: u64) {
        self.0.lock().expect("nobody panics").0.last_mut().expect("a stage has begun").2 = done;
    }
}

#[test]
fn stages_and_one_go_find_the_same() {
    let network = open(None, &OpenOptions::default()).expect("embedded").network;
    let request = ImageRequest { limit: Some(20), ..ImageRequest::default() };
    let images = images(&network, true, &request).expect("embedded").expect("there are some");
    let hardware = hardware(&[]).expect("the ideal engines");
    let options = SimulateOptions { images: Some(EvaluateOptions::new(&images.samples)), ..SimulateOptions::default() };

    let heard = Heard::default();
    let mut staged = Simulation::start(&network, &hardware, options, &heard).expect("costs");
    assert!(staged.evaluation().is_none(), "images have not run yet");
    let score = staged.evaluate().expect("images").expect("there are some").engines[0].score.clone();
    assert!(staged.step().expect("stepped").iter().all(|layer| layer.passes()));
    assert!(staged.passes());

    let whole = simulate(&network, &hardware, options, &Quiet).expect("all of it");
    assert_eq!(whole.evaluation().expect("images ran").engines[0].score, score);
    check_all([Layout::Summary { width: None }, Layout::ByHardware], |&layout| {
        assert_eq!(whole.text("x", layout), staged.text("x", layout));
    });

    let (stages, advanced) = heard.0.into_inner().expect("nobody panics");
    let layers = 3 * network.layers().len() as u64;
    assert_eq!(stages, [(Stage::Images, 20, 20), (Stage::SteppedLayers, layers, layers)]);
    assert_eq!(advanced, 20 + layers);
}

/// No images.
struct Nothing;

impl Samples for Nothing {
    fn len(&self) -> usize {
        0
    }

    fn sample(&self, _: usize) -> Result<Sample, SampleError> {
        Err(Cause::told(ErrorKind::BadArgument, "there is none"))
    }
}

/// An image that nobody may look at.
struct Unseen;

impl Samples for Unseen {
    fn len(&self) -> usize {
        1
    }

    fn sample(&self, _: usize) -> Result<Sample, SampleError> {
        panic!("the image is looked at")
    }
}

#[test]
fn a_budget_that_is_too_small_is_told_before_anything_is_measured() {
    let network = open(None, &OpenOptions::default()).expect("embedded").network;
    check_all([(Grid::MidRise, 700_000.0), (Grid::MidTread, 1.0)], |&(grid, budget)| {
        let allocate = Allocate { cost: Cost::EsnD, budget, grid, images: &Unseen, limit: 1 };
        let error = compress(&network, CompressOptions { allocate: Some(allocate), ..CompressOptions::default() });
        let error = chain(&error.expect_err("too small"));
        assert!(error.contains("what the cheapest choices of all layers come to"), "{error}");
    });
}

#[test]
fn a_budget_may_count_bits() {
    let network = open(None, &OpenOptions::default()).expect("embedded").network;
    let request = ImageRequest { limit: Some(4), ..ImageRequest::default() };
    let images = images(&network, true, &request).expect("embedded").expect("there are some");
    // By hand: every weight in the bits of its layer, and every effective MAC with 8 bits of an activation.
    type Counted = fn(&LayerCost) -> f64;
    let bits: Counted = |layer| layer.esn.weights as f64 * f64::from(layer.esn.max_bits);
    let operations: Counted = |layer| layer.nonzero_macs as f64 * f64::from(layer.esn.max_bits) * 8.0;
    let cases = [
        ("model-bits", 150_000.0, bits, 1.0),
        ("effective-bit-operations", 1.2e7, operations, 1.0),
        ("linear:model-bits=2e-12", 3e-7, bits, 2e-12),
    ];
    check_all(cases, |&(cost, budget, of_layer, unit)| {
        let (cost, budget) = allocation(&format!("{cost}={budget}")).expect("a budget");
        let allocate = Allocate { cost, budget, grid: Grid::MidTread, images: &images.samples, limit: 4 };
        let done = compress(&network, CompressOptions { allocate: Some(allocate), ..CompressOptions::default() });
        let network = done.expect("the budget is large enough").network;
        let cost = esn(&network, Quantization::new(None), BitConvention::NonzeroAtLeastOne).expect("it has a cost");
        let spent = cost.layers.iter().map(of_layer).sum::<f64>() * unit / budget;
        assert!((0.95..=1.0).contains(&spent), "{spent} of the budget is spent");
    });
}

#[test]
fn an_empty_list_of_images_is_refused() {
    let network = open(None, &OpenOptions::default()).expect("embedded").network;
    let hardware = hardware(&[]).expect("the ideal engines");
    let options = SimulateOptions { images: Some(EvaluateOptions::new(&Nothing)), ..SimulateOptions::default() };
    let mut simulation = Simulation::start(&network, &hardware, options, &Quiet).expect("costs need no images");
    assert!(matches!(simulation.evaluate(), Err(Error::NoImages)));
    assert!(simulation.cost().passes(), "what is known stays");
}
