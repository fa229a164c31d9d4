//! Do counts and energies add up?

use engine::{Entry, Joules, Ledger, Occupancy};

#[test]
fn entries_keep_their_order_and_add_up() {
    let mut ledger = Ledger::new();
    ledger.add("mac", 3, Joules(2.0));
    ledger.add("read", 5, Joules(0.25));
    ledger.add("mac", 4, Joules(2.0));
    let entries =
        [Entry { name: "mac", count: 7, unit: Joules(2.0) }, Entry { name: "read", count: 5, unit: Joules(0.25) }];
    assert_eq!(ledger.entries(), entries);
    assert_eq!((ledger.count("mac"), ledger.count("read"), ledger.count("write")), (7, 5, 0));
    assert_eq!(ledger.energy(), Joules(15.25));
}

#[test]
fn merged_ledgers_hold_the_sum_of_both() {
    let (mut one, mut other) = (Ledger::new(), Ledger::new());
    one.add("mac", 1, Joules(1.0));
    other.add("read", 2, Joules(3.0));
    other.add("mac", u128::from(u64::MAX), Joules(1.0));
    one.merge(&other);
    one.merge(&Ledger::new());
    assert_eq!(one.count("mac"), 1 << 64);
    assert_eq!(one.entries().iter().map(|entry| entry.name).collect::<Vec<_>>(), ["mac", "read"]);
}

#[test]
fn an_empty_ledger_spends_nothing() {
    assert_eq!(Ledger::new().energy(), Joules(0.0));
    assert!(Ledger::new().entries().is_empty());
}

#[test]
#[should_panic(expected = "ledger entry mac has one unit")]
fn an_entry_never_changes_its_unit() {
    let mut ledger = Ledger::new();
    ledger.add("mac", 1, Joules(1.0));
    ledger.add("mac", 1, Joules(2.0));
}

#[test]
fn occupancy_is_used_over_offered() {
    assert_eq!(Occupancy::default().utilization(), 0.0);
    let merged = Occupancy { used: 1, offered: 2 }.merge(Occupancy { used: 2, offered: 2 });
    assert_eq!(merged, Occupancy { used: 3, offered: 4 });
    assert_eq!(merged.utilization(), 0.75);
}
