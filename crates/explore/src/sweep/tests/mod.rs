mod lists;
mod plans;
mod running;

use compress::{PruneOptions, QuantizeOptions};
use testkit::check_all;

use super::*;
use crate::store::Store;

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
