//! A table of cases, checked to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Checks each case of a table by a function that panics where the case fails. All cases are checked.
///
/// # Panics
///
/// If any case fails; the message names every one that did, by its row from 0 and its content. What each said stands above
/// it.
pub fn check_all<C: std::fmt::Debug>(cases: impl IntoIterator<Item = C>, check: impl Fn(&C)) {
    let (mut failed, mut count) = (Vec::new(), 0);
    for (row, case) in cases.into_iter().enumerate() {
        if catch_unwind(AssertUnwindSafe(|| check(&case))).is_err() {
            failed.push(format!("  row {row}: {case:?}"));
        }
        count += 1;
    }
    assert!(count > 0, "a table without cases checks nothing");
    assert!(failed.is_empty(), "{} of {count} cases fail:\n{}", failed.len(), failed.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failing_case_is_named() {
        let run = || check_all([1, 2, 3, 4], |&n| assert!(n % 2 == 0, "{n} is odd"));
        let message = *catch_unwind(run).expect_err("two fail").downcast::<String>().expect("a text");
        assert_eq!(message, "2 of 4 cases fail:\n  row 0: 1\n  row 2: 3");
        check_all([2, 4], |n| assert!(n % 2 == 0));
    }
}
