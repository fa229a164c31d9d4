//! Points of an open plan that run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use network::{ErrorKind, Failure};

use super::*;
use crate::PointKey;
use crate::store::Status;
use crate::sweep::pruned::PrunedNetworks;

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
