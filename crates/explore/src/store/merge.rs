//! Stores put together.

use network::ErrorKind;

use super::row::{PointCosts, PointRow};
use super::{Store, problem};
use crate::error::ExploreError;

/// What came of putting a store into another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Points that were new.
    pub added: usize,
    /// Points that both had, with the same result.
    pub equal: usize,
}

impl Store {
    /// Adds every point and plan of another store. Names of networks and the version of the program may differ between
    /// equal points; the rest may not.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Store`] if a point has another result there, before anything is added; the point is named.
    pub fn merge(&self, other: &Store) -> Result<MergeReport, ExploreError> {
        let rows = other.rows()?;
        let own = self.rows_of(&rows.iter().map(|row| &row.key).collect::<Vec<_>>())?;
        let differ = |own: &Option<PointRow>, row| own.as_ref().is_some_and(|own| !agree(own, row));
        if let Some((_, row)) = own.iter().zip(&rows).find(|&(own, row)| differ(own, row)) {
            let own = self.path().display();
            let words = format!("point {} ({}) has another result in {own}", row.key, row.configuration.label());
            return Err(problem(other.path(), ErrorKind::BadArgument, words));
        }
        for (digest, plan) in other.plans()? {
            self.insert_plan(&digest, &plan)?;
        }
        let mut report = MergeReport::default();
        for row in &rows {
            match self.insert(row)? {
                true => report.added += 1,
                false => report.equal += 1,
            }
        }
        Ok(report)
    }
}

fn agree(a: &PointRow, b: &PointRow) -> bool {
    a.configuration == b.configuration
        && a.error == b.error
        && a.notes == b.notes
        && same_costs(a.costs.as_ref(), b.costs.as_ref())
        && a.accuracy == b.accuracy
}

/// Whether two costs are the same, as far as both have each of them: an old store lacks effective MACs.
fn same_costs(a: Option<&PointCosts>, b: Option<&PointCosts>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
    match (a.effective_macs, b.effective_macs) {
        (Some(_), Some(_)) | (None, None) => a == b,
        (effective_macs, None) => *a == PointCosts { effective_macs, ..b.clone() },
        (None, effective_macs) => PointCosts { effective_macs, ..a.clone() } == *b,
    }
}
