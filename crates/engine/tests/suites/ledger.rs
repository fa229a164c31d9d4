//! Do counts and energies add up?

use engine::{Conversions, EnergyGroup, Entry, Event, IdleCause, Joules, LayerRun, Ledger, Occupancy};

const READ: Event = Event::new("read");

const WRITE: Event = Event::memory("write");

#[test]
fn entries_keep_their_order_and_add_up() {
    let mut ledger = Ledger::new();
    ledger.add(Event::MAC, 3, Joules(2.0));
    ledger.add(READ, 5, Joules(0.25));
    ledger.add(Event::MAC, 4, Joules(2.0));
    let entries =
        [Entry { event: Event::MAC, count: 7, unit: Joules(2.0) }, Entry { event: READ, count: 5, unit: Joules(0.25) }];
    assert_eq!(ledger.entries(), entries);
    assert_eq!((ledger.count(Event::MAC), ledger.count(READ), ledger.count(WRITE)), (7, 5, 0));
    assert_eq!(ledger.energy(), Joules(15.25));
}

#[test]
fn merged_ledgers_hold_the_sum_of_both() {
    let (mut one, mut other) = (Ledger::new(), Ledger::new());
    one.add(Event::MAC, 1, Joules(1.0));
    other.add(READ, 2, Joules(3.0));
    other.add(Event::MAC, u128::from(u64::MAX), Joules(1.0));
    one.merge(&other);
    one.merge(&Ledger::new());
    assert_eq!(one.count(Event::MAC), 1 << 64);
    assert_eq!(one.entries().iter().map(|entry| entry.event).collect::<Vec<_>>(), [Event::MAC, READ]);
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
    ledger.add(Event::MAC, 1, Joules(1.0));
    ledger.add(Event::MAC, 1, Joules(2.0));
}

#[test]
fn occupancy_is_used_over_offered() {
    assert_eq!(Occupancy::default().utilization(), 0.0);
    let merged = Occupancy { used: 1, offered: 1 }.merge(Occupancy { used: 2, offered: 3 });
    assert_eq!(merged, Occupancy { used: 3, offered: 4 });
    assert_eq!(merged.utilization(), 0.75);
}

#[test]
fn events_and_causes_are_told_by_their_names() {
    assert_eq!((Event::MAC.name(), READ.to_string()), ("mac", "read".to_string()));
    assert_eq!(Event::new("mac"), Event::MAC);
    let [tail, edge] = [IdleCause::new("tail"), IdleCause::new("edge")];
    let run = LayerRun { idle: vec![(tail, 3)], ..LayerRun::default() };
    assert_eq!((tail.name(), run.idle_by(tail), run.idle_by(edge)), ("tail", 3, 0));
    assert_eq!(edge.to_string(), "edge");
}

#[test]
fn energy_is_told_by_what_it_is_spent_on() {
    let convert = Event::conversion("convert");
    let mut ledger = Ledger::new();
    for (event, count, unit) in [(Event::MAC, 3, 1.0), (convert, 5, 2.0), (WRITE, 7, 4.0), (READ, 2, 8.0)] {
        ledger.add(event, count, Joules(unit));
    }
    let groups = EnergyGroup::ALL.map(|group| (group.name(), ledger.energy_of(group)));
    assert_eq!(groups, [("compute", Joules(19.0)), ("conversion", Joules(10.0)), ("memory", Joules(28.0))]);
}

#[test]
fn the_same_energy_is_the_same_number_however_it_is_shared_out() {
    let (unit, rounding) = (Joules(3.75e-14), Event::new("width rounding"));
    let energy = |planes: u128, rounded: u128| {
        let mut ledger = Ledger::new();
        ledger.add(Event::MAC, planes, unit);
        ledger.add(rounding, rounded, unit);
        ledger.add(WRITE, 616_576, Joules(2.031_25e-11));
        (ledger.energy(), ledger.energy_of(EnergyGroup::Compute))
    };
    let whole = energy(6_108_160, 0);
    for planes in (0..6_108_160).step_by(61_001) {
        assert_eq!(energy(planes, 6_108_160 - planes), whole, "{planes}");
    }
    assert_eq!(whole.1, unit.times(6_108_160));
}

#[test]
fn conversions_add_up() {
    let sum = Conversions { total: 5, clipped: 2 }.plus(Conversions { total: 3, clipped: 1 });
    assert_eq!(sum, Conversions { total: 8, clipped: 3 });
}
