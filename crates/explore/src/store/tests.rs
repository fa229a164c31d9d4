use std::fs;
use std::sync::Arc;

use esn::Quarters;
use network::{Failure, Mend};
use runner::{BitCounts, Score};
use testkit::check_all;

use super::*;
use crate::key::PointKey;
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
        name: "one".into(),
        metric: "ESN_a".into(),
        verdict: "pass".into(),
        cycles: 1 << 90,
        energy_count: u128::MAX,
        energy_j: 1.1e-15,
        spent: Some(Spent { compute_j: 1.0 / 3.0, conversion_j: 0.1 + 0.2, memory_j: 1.1e-16 }),
        utilization: 1.0,
        score: Some(Score { labelled: 9, top1: 8, top5: None }),
        agreement: Some(7),
    };
    let costs = PointCosts {
        esn_a_macs: Quarters(4 * (1 << 100) + 3),
        esn_d_macs: 1 << 100,
        filter_bits: by_bits(&[1, 2, 3]),
        weight_bits: by_bits(&[4]),
        effective_macs: Some(1 << 70),
        bits: Some(BitCounts { model_bits: 7, bit_operations: 1 << 70, outputs: 3, ..BitCounts::default() }),
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

fn by_bits(counts: &[u64]) -> Vec<u64> {
    let mut counts = counts.to_vec();
    counts.resize(esn::BIT_WIDTHS, 0);
    counts
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
    expected.sort_by_key(|row| row.key);
    assert_eq!(store.rows().expect("readable"), expected);
    let known = store.known().expect("readable");
    assert_eq!((known.done(), known.failed()), ([row(2).key].as_slice(), [row(3).key].as_slice()));
    let status = [2, 3, 4].map(|bits| known.status(row(bits).key));
    assert_eq!(status, [Some(Status::Done), Some(Status::Failed), None]);
    assert_eq!(status, [2, 3, 4].map(|bits| store.status_of(row(bits).key).expect("readable")));
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
    assert_eq!(store.remove_failed(&[row(2).key, row(3).key, row(4).key]).expect("written"), 1);
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
    assert!(words.contains(&other.key.to_string()) && words.contains("3 bits"), "{words}");
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
    let cases = [
        ("text", "no SQLite database"),
        ("foreign", "expected a store, which a sweep writes; found an SQLite database of another program"),
        ("newer", "layout 99"),
    ];
    check_all(cases, |&(name, expected)| {
        let before = fs::read(path(name)).expect("there");
        for words in [message(Store::open(&path(name))), message(Store::open_existing(&path(name)))] {
            assert!(words.contains(name) && words.contains(expected) && !words.contains('\n'), "{words}");
        }
        assert_eq!(fs::read(path(name)).expect("there"), before);
    });
    fs::write(path("empty"), "").expect("writable");
    assert!(message(Store::open_existing(&path("empty"))).contains("found an empty file"));
    assert!(message(Store::open_existing(&path("none"))).contains("none"));
    assert!(!path("none").exists());
    assert!(message(Store::open(folder.path())).contains("found a folder"));
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
    assert_eq!((in_use.kind(), in_use.mend()), (ErrorKind::BadArgument, Some(Mend::ShareStoreOfWhole)));
    let other = StoreLock::take(&path, Writers::One).expect_err("another process has the store");
    assert_eq!((other.kind(), other.mend()), (ErrorKind::BadArgument, Some(Mend::ShareStore)));
    drop(whole);
}

#[test]
fn a_place_where_no_store_can_be_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writable");
    let missing = folder.path().join("missing");
    let cases = [
        (missing.join("s.sqlite"), format!("there is no folder {}", missing.display())),
        (file.join("s.sqlite"), format!("{} is no folder", file.display())),
        (folder.path().to_path_buf(), "expected a store, found a folder".to_string()),
    ];
    check_all(cases, |(path, expected)| {
        assert_eq!(message(check_place(path)), format!("{}: {expected}", path.display()));
        assert_eq!(message(Store::open(path)), message(check_place(path)));
    });
    check_place(&folder.path().join("s.sqlite")).expect("a store can be made there");
    check_place(Path::new("s.sqlite")).expect("the folder of the process is one");
}

/// A store that the program made before there was layout 2.
fn old_store(folder: &Path) -> PathBuf {
    let path = folder.join("old.sqlite");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/store-layout-1/points.sqlite");
    fs::copy(fixture, &path).expect("it is part of the project");
    path
}

fn rows(path: &Path) -> Vec<PointRow> {
    Store::open_existing(path).and_then(|store| store.rows()).expect("a store")
}

#[test]
fn a_store_of_layout_1_is_read_and_upgraded_and_no_longer_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = old_store(folder.path());
    let before = rows(&path);
    assert_eq!(before.len(), 6);
    assert_eq!(before.iter().filter(|row| row.status() == Status::Failed).count(), 1);
    assert!(before.iter().all(|row| row.configuration.key() == row.key), "a key is that of what was read");
    let refused = Store::open(&path).expect_err("it is not written");
    assert_eq!((refused.kind(), refused.mend()), (ErrorKind::BadArgument, Some(Mend::UpgradeStore)));
    let plans = Store::open_existing(&path).and_then(|store| store.plans()).expect("a store");

    assert_eq!(upgrade(&path).expect("nobody else has it"), Upgrade::Done(6));
    assert_eq!(rows(&path), before);
    assert_eq!(Store::open_existing(&path).and_then(|store| store.plans()).expect("a store"), plans);
    assert_eq!(upgrade(&path).expect("there is nothing to do"), Upgrade::NotNeeded);
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("there").map(|file| file.expect("there").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("upgrade")), "{left:?}");
    assert!(Store::open(&path).expect("it is written now").insert(&row(2)).expect("written"));
}

/// Makes a store of today one of layout 2, with its table of bits or without.
fn as_layout_2(path: &Path, bits: bool) {
    const BITS: &str = "CREATE TABLE point_bits (
            key BLOB PRIMARY KEY NOT NULL, model_bits ANY NOT NULL, bit_operations ANY NOT NULL,
            effective_bit_operations ANY NOT NULL, weight_bits ANY NOT NULL, activation_bits ANY NOT NULL,
            outputs ANY NOT NULL, spent TEXT NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO point_bits SELECT key, model_bits, bit_operations, effective_bit_operations, weight_bits_fetched,
            activation_bits_moved, outputs, '[]' FROM point_figures WHERE model_bits IS NOT NULL;
        CREATE VIEW bits AS SELECT lower(hex(key)) AS key, model_bits FROM point_bits;";
    let connection = Connection::open(path).expect("a database");
    let views = "DROP VIEW points; DROP VIEW hardware;";
    connection.execute_batch(&format!("{views} {}", if bits { BITS } else { "" })).expect("a store");
    let later = "model_bits bit_operations effective_bit_operations weight_bits_fetched activation_bits_moved outputs";
    let drop = |table: &str, columns: &str| {
        for column in columns.split(' ') {
            connection.execute_batch(&format!("ALTER TABLE {table} DROP COLUMN {column}")).expect("it is there");
        }
    };
    drop("point_figures", later);
    drop("hardware_figures", "compute_j conversion_j memory_j");
    connection.pragma_update(None, "user_version", 2).expect("writable");
}

#[test]
fn a_store_of_layout_2_is_read_merged_and_upgraded_and_no_longer_written() {
    check_all([true, false], |&bits| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("s.sqlite");
        let now = [row(1), row(2)];
        let store = Store::open(&path).expect("new");
        now.iter().for_each(|row| assert!(store.insert(row).expect("written")));
        drop(store);
        let mut then = rows(&path);
        for costs in then.iter_mut().filter_map(|row| row.costs.as_mut()) {
            costs.bits = costs.bits.filter(|_| bits);
            costs.hardware.iter_mut().for_each(|row| row.spent = None);
        }
        as_layout_2(&path, bits);
        assert_eq!(rows(&path), then);
        let refused = Store::open(&path).expect_err("it is not written");
        assert!(refused.to_string().contains("a store of layout 2") && refused.mend() == Some(Mend::UpgradeStore));

        let other = folder.path().join("other.sqlite");
        let target = Store::open(&other).expect("new");
        assert!(target.insert(&row(1)).expect("written"));
        let report =
            target.merge(&Store::open_existing(&path).expect("a store")).expect("equal as far as both have it");
        assert_eq!((report.added, report.equal), (1, 1));

        assert_eq!(upgrade(&path).expect("nobody else has it"), Upgrade::Done(2));
        assert_eq!(rows(&path), then);
        assert!(Store::open(&path).expect("it is written now").insert(&row(3)).expect("written"));
    });
}

#[test]
fn what_a_store_shows_of_its_points_is_the_same_in_both_layouts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = old_store(folder.path());
    let shown = || {
        let store = Store::open_existing(&path).expect("a store");
        let (mut figures, mut summaries) = (Vec::new(), Vec::new());
        let keep_figures = |point| {
            figures.push(point);
            Ok::<_, ExploreError>(())
        };
        store.for_each_figures(keep_figures).expect("readable");
        let keep_summary = |point| {
            summaries.push(point);
            Ok::<_, ExploreError>(())
        };
        store.for_each_summary(keep_summary).expect("readable");
        let rows = store.rows().expect("readable");
        assert_eq!(figures, rows.iter().map(PointFigures::from).collect::<Vec<_>>());
        assert_eq!(summaries, rows.iter().map(PointSummary::from).collect::<Vec<_>>());
        let keys: Vec<PointKey> = rows.iter().rev().map(|row| row.key).collect();
        let again = store.rows_of(&keys).expect("readable").into_iter().rev().flatten();
        assert_eq!(again.collect::<Vec<_>>(), rows);
        (figures, summaries, store.known().expect("readable"))
    };
    let old = shown();
    upgrade(&path).expect("nobody else has it");
    assert_eq!(shown(), old);
}

#[test]
fn a_summary_has_the_layers_of_their_own_as_the_configuration_has_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(&folder.path().join("s.sqlite")).expect("new");
    let own =
        |layer: &str, bits| compress::LayerOptions { layer: layer.into(), bits: Some(bits), ..Default::default() };
    let configuration = Configuration {
        quantize: Some(compress::QuantizeOptions { layers: vec![own("a", 2), own("b", 9)], ..Default::default() }),
        ..row(4).configuration
    };
    let layered = PointRow { key: configuration.key(), configuration, ..row(4) };
    store.insert_all([&layered, &row(4)]).expect("written");
    let mut summaries = Vec::new();
    let keep = |point: PointSummary| {
        summaries.push(point);
        Ok::<_, ExploreError>(())
    };
    store.for_each_summary(keep).expect("readable");
    let mut rows = [layered, row(4)];
    rows.sort_by_key(|row| row.key);
    assert_eq!(summaries, rows.each_ref().map(PointSummary::from));
    let mut layers = summaries.iter().map(|point| &*point.layers).collect::<Vec<_>>();
    layers.sort_unstable();
    assert_eq!(layers, ["", r#"[{"layer":"a","bits":2},{"layer":"b","bits":9}]"#]);
}

#[test]
fn a_store_without_effective_macs_is_read_and_merged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = old_store(folder.path());
    let whole = rows(&path);
    let old = Connection::open(&path).expect("a database");
    old.execute("ALTER TABLE points DROP COLUMN effective_macs", []).expect("it is there");
    drop(old);
    let without = |row: &PointRow| {
        let costs = row.costs.clone().map(|costs| PointCosts { effective_macs: None, ..costs });
        PointRow { costs, ..row.clone() }
    };
    assert_eq!(rows(&path), whole.iter().map(without).collect::<Vec<_>>());

    let new = Store::open(&folder.path().join("new.sqlite")).expect("new");
    new.insert_all(&whole[..2]).expect("written");
    let old = Store::open_existing(&path).expect("there");
    assert_eq!(new.merge(&old).expect("no point differs"), MergeReport { added: 4, equal: 2 });
    drop(old);
    upgrade(&path).expect("nobody else has it");
    let upgraded = Store::open_existing(&path).expect("there");
    assert_eq!(new.merge(&upgraded).expect("no point differs"), MergeReport { added: 0, equal: 6 });
}

/// Stores of layout 1 were made before bits were counted, and points of them have none in a store of today.
#[test]
fn points_without_bits_are_read_and_merged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [path, other] = ["old.sqlite", "new.sqlite"].map(|name| folder.path().join(name));
    Store::open(&path).expect("new").insert(&row(2)).expect("written");
    let connection = Connection::open(&path).expect("a database");
    let bits = "UPDATE point_figures SET model_bits = NULL, bit_operations = NULL, effective_bit_operations = NULL, \
                weight_bits_fetched = NULL, activation_bits_moved = NULL, outputs = NULL";
    let spent = "UPDATE hardware_figures SET compute_j = NULL, conversion_j = NULL, memory_j = NULL";
    connection.execute_batch(&format!("{bits}; {spent}")).expect("they are there");
    drop(connection);
    let without = |row: PointRow| {
        let mut costs = row.costs.clone().expect("it has costs");
        costs.bits = None;
        costs.hardware.iter_mut().for_each(|row| row.spent = None);
        PointRow { costs: Some(costs), ..row }
    };
    assert_eq!(rows(&path), [without(row(2))]);

    let new = Store::open(&other).expect("new");
    new.insert_all([&row(2), &row(3)]).expect("written");
    let old = Store::open(&path).expect("there");
    assert_eq!(new.merge(&old).expect("no point differs"), MergeReport { added: 0, equal: 1 });
    assert_eq!(old.merge(&new).expect("no point differs"), MergeReport { added: 1, equal: 1 });
    drop((old, new));
    let mut expected = [without(row(2)), row(3)];
    expected.sort_by_key(|row| row.key);
    assert_eq!(rows(&path), expected);
    let connection = Connection::open(&other).expect("a database");
    for changed in ["point_figures SET outputs = 4", "hardware_figures SET memory_j = 4.0"] {
        connection.execute(&format!("UPDATE {changed}"), []).expect("writable");
        let message = message(Store::open(&path).expect("there").merge(&Store::open_existing(&other).expect("there")));
        assert!(message.contains("has another result"), "{changed}: {message}");
        connection.execute("UPDATE point_figures SET outputs = 3", []).expect("writable");
    }
}

#[test]
fn texts_are_kept_once_and_views_show_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = old_store(folder.path());
    let old = rows(&path);
    upgrade(&path).expect("nobody else has it");
    let connection = Connection::open(&path).expect("a database");
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("SELECT count(*) - count(DISTINCT text) FROM texts"), 0);
    // Four descriptions, however many points have them.
    assert_eq!(count("SELECT count(*) FROM texts WHERE text LIKE '{\"name\":%'"), 4);
    for row in old {
        let sql = "SELECT configuration, notes, status, error, network, esn_a_macs FROM points WHERE key = ?";
        let shown = connection.query_row(sql, [row.key.to_string()], |shown| {
            let configuration: String = shown.get(0)?;
            let notes: String = shown.get(1)?;
            assert_eq!(shown.get::<_, String>(2)?, row.status().name());
            assert_eq!(shown.get::<_, Option<String>>(3)?, row.error);
            assert_eq!(shown.get::<_, String>(4)?, row.network);
            assert_eq!(shown.get::<_, Option<f64>>(5)?, row.costs.as_ref().map(|costs| costs.esn_a_macs.to_f64()));
            Ok((configuration, notes))
        });
        let (configuration, notes) = shown.expect("the view has it");
        assert_eq!(configuration, row.configuration.to_json());
        assert_eq!(notes, serde_json::to_string(&row.notes).expect("JSON"));
        let hardware: Vec<(String, i64)> = connection
            .prepare("SELECT name, cycles FROM hardware WHERE key = ? ORDER BY position")
            .and_then(|mut statement| {
                statement.query_map([row.key.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .expect("the view has it");
        let own = row.costs.iter().flat_map(|costs| &costs.hardware);
        assert_eq!(hardware, own.map(|h| (h.name.to_string(), h.cycles as i64)).collect::<Vec<_>>());
    }
}

#[test]
fn rows_are_written_in_groups_and_none_is_left_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(&folder.path().join("s.sqlite")).expect("new");
    let count = || store.known().expect("readable").done().len();
    let mut writer = GroupWriter::new(&store);
    assert_eq!(writer.due_in(), None);
    // The first row is written at once, the next ones wait for others.
    writer.insert(Arc::new(row(1))).expect("written");
    assert_eq!((count(), writer.due_in()), (1, None));
    writer.insert(Arc::new(row(2))).and_then(|()| writer.insert(Arc::new(row(3)))).expect("they wait");
    assert!(writer.due_in().is_none_or(|wait| wait <= Duration::from_millis(500)));
    writer.flush().expect("written");
    assert_eq!((count(), writer.due_in()), (3, None));
    writer.insert(Arc::new(row(4))).expect("it waits");
    drop(writer);
    assert_eq!(count(), 4);
}
