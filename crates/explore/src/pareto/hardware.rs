//! Hardware that points were costed on.

use std::sync::Arc;

use crate::key::PointKey;

/// Hardware that points were costed on.
#[derive(Clone, Debug, PartialEq)]
pub struct SurveyedHardware {
    /// Its name.
    pub name: Arc<str>,
    /// The first point that has it.
    pub first: PointKey,
    /// Whether it is analog, and ran the images of a point.
    pub is_scored: bool,
    /// Whether its description says that its energies are units of a choice.
    pub is_normalized: bool,
}
