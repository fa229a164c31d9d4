use std::fs;

use esn::Quarters;
use network::{Failure, Mend};
use runner::Score;
use testkit::check_all;

use super::*;
use crate::sweep::Configuration;

fn row(bits: u32) -> PointRow {
    let configuration = Configuration {
        schema: 1,
        network: "abc".to_string(),
        prune: None,
        quantize: Some(compress::QuantizeOptions { bits, ..Default::default() }),
        reestimate: None,
        images: None,
        hardware: Vec::new(),
        activation_bits: 8,
        calibration_images: 64,
        analog_accuracy: false,
    };
    let hardware = HardwareRow {
        name: "one".to_string(),
        metric: "ESN_a".to_string(),
        verdict: "pass".to_string(),
        cycles: 1 << 90,
        energy_count: u128::MAX,
        energy_j: 1.1e-15,
        utilization: 1.0,
        score: Some(Score { labelled: 9, top1: 8, top5: None }),
        agreement: Some(7),
    };
    let costs = PointCosts {
        esn_a_macs: Quarters(4 * (1 << 100) + 3),
        esn_d_macs: 1 << 100,
        filter_bits: vec![1, 2, 3],
        weight_bits: vec![4],
        effective_macs: Some(1 << 70),
        hardware: vec![hardware],
        ..PointCosts::default()
    };
    let score = |top1| Score { labelled: 9, top1, top5: Some(9) };
    PointRow {
        key: configuration.key(),
        network: "net.onnx".to_string(),
        configuration,
        version: "1".to_string(),
        notes: vec!["a note".to_string()],
        error: None,
        costs: Some(costs),
        accuracy: Some(PointAccuracy { images: 10, score: score(8), agreement: 7, float: score(9) }),
    }
}

fn failed(bits: u32) -> PointRow {
    PointRow { error: Some("no".to_string()), costs: None, accuracy: None, ..row(bits) }
}

fn message<T: std::fmt::Debug>(result: Result<T, ExploreError>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn rows_come_back_as_they_went_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.sqlite");
    let store = Store::open(&path).expect("new");
    assert!(store.insert(&row(2)).expect("written") && store.insert(&failed(3)).expect("written"));
    assert!(!store.insert(&row(2)).expect("there already"));
    drop(store);
    let store = Store::open_existing(&path).expect("there");
    let mut expected = vec![row(2), failed(3)];
    expected.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(store.rows().expect("readable"), expected);
    assert_eq!(store.statuses().expect("readable")[&row(3).key], Status::Failed);
}

/// A process that is killed may leave a journal whose changes are to be taken back before anybody reads.
#[test]
fn what_a_killed_process_left_half_written_is_taken_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.sqlite");
    let store = Store::open(&path).expect("new");
    store.insert(&row(3)).expect("it is new");
    drop(store);
    let connection = Connection::open(&path).expect("it is a database");
    let _: String = connection
        .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))
        .expect("nobody else has it open");
    connection.pragma_update(None, "cache_size", 1).expect("a small cache");
    connection.execute_batch("BEGIN; CREATE TABLE more (text TEXT)").expect("a transaction");
    // More than the cache holds, so that changed pages reach the file before the end of the transaction.
    for _ in 0..200 {
        connection.execute("INSERT INTO more VALUES (?1)", ["half written".repeat(400)]).expect("writable");
    }
    let copy = folder.path().join("copy.sqlite");
    fs::copy(&path, &copy).expect("readable");
    fs::copy(folder.path().join("s.sqlite-journal"), folder.path().join("copy.sqlite-journal")).expect("it is there");
    let store = Store::open_existing(&copy).expect("what is half written is taken back");
    assert_eq!(store.rows().expect("a store"), [row(3)]);
}

#[test]
fn failed_points_and_no_others_are_removed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(&folder.path().join("s.sqlite")).expect("new");
    store.insert(&row(2)).and_then(|_| store.insert(&failed(3))).expect("written");
    let keys = [row(2).key, row(3).key];
    assert_eq!(store.remove_failed(&[&keys[0], &keys[1], "none"]).expect("written"), 1);
    assert_eq!(store.rows().expect("readable"), [row(2)]);
}

#[test]
fn equal_points_merge_and_others_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = |name: &str| Store::open(&folder.path().join(name)).expect("new");
    let (a, b, c) = (store("a"), store("b"), store("c"));
    a.insert(&row(2)).and_then(|_| b.insert(&row(2))).and_then(|_| b.insert(&row(3))).expect("written");
    b.insert_plan("digest", "{}").expect("written");
    assert_eq!(a.merge(&b).expect("equal"), MergeReport { added: 1, equal: 1 });
    assert_eq!(a.rows().expect("readable"), b.rows().expect("readable"));
    assert_eq!(a.plans().expect("readable"), b.plans().expect("readable"));

    let mut other = row(3);
    other.accuracy = None;
    c.insert(&other).and_then(|_| c.insert(&row(4))).expect("written");
    let words = message(a.merge(&c));
    assert!(words.contains(&other.key) && words.contains("3 bits"), "{words}");
    assert_eq!(a.rows().expect("readable").len(), 2);
}

#[test]
fn files_that_are_no_store_are_refused_in_one_line_and_left_as_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("text"), "a text that is long enough to have a header of its own; ".repeat(40)).expect("writable");
    let foreign = rusqlite::Connection::open(path("foreign")).expect("new");
    foreign.execute_batch("CREATE TABLE other (x); INSERT INTO other VALUES (1)").expect("valid");
    drop(foreign);
    drop(Store::open(&path("newer")).expect("new"));
    let newer = rusqlite::Connection::open(path("newer")).expect("there");
    newer.pragma_update(None, "user_version", 99).expect("writable");
    drop(newer);
    let cases = [("text", "no SQLite database"), ("foreign", "not a store"), ("newer", "layout 99")];
    check_all(cases, |&(name, expected)| {
        let before = fs::read(path(name)).expect("there");
        for words in [message(Store::open(&path(name))), message(Store::open_existing(&path(name)))] {
            assert!(words.contains(name) && words.contains(expected) && !words.contains('\n'), "{words}");
        }
        assert_eq!(fs::read(path(name)).expect("there"), before);
    });
    assert!(message(Store::open_existing(&path("none"))).contains("none"));
    assert!(!path("none").exists());
    assert!(message(Store::open(folder.path())).contains("unable to open"));
}

#[test]
fn a_damaged_store_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.sqlite");
    let store = Store::open(&path).expect("new");
    (1..=16).for_each(|bits| assert!(store.insert(&row(bits)).expect("written")));
    drop(store);
    let mut bytes = fs::read(&path).expect("there");
    let len = bytes.len();
    bytes[4096..len.min(4096 * 4)].fill(0x5a);
    fs::write(&path, &bytes).expect("writable");
    let words = message(Store::open(&path));
    assert!(words.contains("damaged") && !words.contains('\n'), "{words}");
    fs::write(&path, &bytes[..len / 2]).expect("writable");
    assert!(message(Store::open(&path)).contains("damaged"));
}

#[test]
fn one_writer_of_the_whole_or_many_of_shards() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.sqlite");
    let shard = StoreLock::take(&path, Writers::Shards).expect("free");
    let other = StoreLock::take(&path, Writers::Shards).expect("shared");
    assert!(message(StoreLock::take(&path, Writers::One)).contains("another sweep"));
    drop((shard, other));
    let whole = StoreLock::take(&path, Writers::One).expect("free");
    let in_use = StoreLock::take(&path, Writers::Shards).expect_err("another process has the store");
    assert_eq!((in_use.kind(), in_use.mend()), (ErrorKind::BadArgument, Some(Mend::ShareStore)));
    drop(whole);
}

/// A store as it was before points had their effective MACs.
fn old_store(path: &Path) -> Store {
    let store = Store::open(path).expect("new");
    store.insert(&row(2)).expect("written");
    store.connection.execute("ALTER TABLE points DROP COLUMN effective_macs", []).expect("it is there");
    store
}

fn without_effective_macs(row: PointRow) -> PointRow {
    let costs = row.costs.map(|costs| PointCosts { effective_macs: None, ..costs });
    PointRow { costs, ..row }
}

#[test]
fn a_store_without_effective_macs_is_read_added_to_and_merged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("old.sqlite");
    drop(old_store(&path));
    let read = Store::open_existing(&path).expect("there").rows().expect("readable");
    assert_eq!(read, [without_effective_macs(row(2))]);

    let store = Store::open(&path).expect("there");
    assert!(store.insert(&row(4)).expect("written"));
    let rows = store.rows().expect("readable");
    assert!(rows.contains(&row(4)) && rows.contains(&without_effective_macs(row(2))));

    let new = Store::open(&folder.path().join("new.sqlite")).expect("new");
    new.insert(&row(2)).expect("written");
    assert_eq!(new.merge(&store).expect("no point differs"), MergeReport { added: 1, equal: 1 });
}
