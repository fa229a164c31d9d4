//! Which row computes which filters. This is decided ahead, from the weights alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::departures::{Barrier, Departures, Schedule};

/// The filters of every row, in order. `planned` is the time of every filter if no activation is 0. A filter of time 0
/// has nothing to compute and goes to no row. Rows without a filter may be missing at the end.
pub(crate) fn deal(rows: usize, planned: &[u128], departures: &Departures) -> Vec<Vec<usize>> {
    let rows = rows.min(planned.len());
    match (departures.schedule, departures.barrier) {
        (Schedule::InOrder, _) => (0..rows)
            .map(|row| (row..planned.len()).step_by(rows).filter(|&filter| planned[filter] > 0).collect())
            .collect(),
        (Schedule::LongestFirst, Barrier::None) => to_the_first_free(rows, planned),
        // After a barrier all rows are free at the same time.
        (Schedule::LongestFirst, Barrier::Filter | Barrier::Position) => {
            let longest = longest_first(planned);
            (0..rows).map(|row| longest.iter().skip(row).step_by(rows).copied().collect()).collect()
        }
    }
}

/// Filters with work, the longest first and in order where they are equal.
fn longest_first(planned: &[u128]) -> Vec<usize> {
    let mut filters: Vec<usize> = (0..planned.len()).filter(|&filter| planned[filter] > 0).collect();
    filters.sort_by_key(|&filter| Reverse(planned[filter]));
    filters
}

fn to_the_first_free(rows: usize, planned: &[u128]) -> Vec<Vec<usize>> {
    let mut queues = vec![Vec::new(); rows];
    let mut free: BinaryHeap<Reverse<(u128, usize)>> = (0..rows).map(|row| Reverse((0, row))).collect();
    for filter in longest_first(planned) {
        let Some(Reverse((time, row))) = free.pop() else { break };
        queues[row].push(filter);
        free.push(Reverse((time + planned[filter], row)));
    }
    queues
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_dealt_by_the_rule() {
        let planned = [2, 0, 7, 3, 3, 1];
        let deal =
            |schedule, barrier, rows| deal(rows, &planned, &Departures { schedule, barrier, ..Default::default() });
        assert_eq!(deal(Schedule::InOrder, Barrier::None, 2), [vec![0, 2, 4], vec![3, 5]]);
        assert_eq!(deal(Schedule::LongestFirst, Barrier::None, 2), [vec![2, 5], vec![3, 4, 0]]);
        assert_eq!(deal(Schedule::LongestFirst, Barrier::Filter, 2), [vec![2, 4, 5], vec![3, 0]]);
        assert_eq!(deal(Schedule::LongestFirst, Barrier::None, 9).concat().len(), 5);
    }
}
