//! How long work tells of itself.

/// A part of the work that can take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Images through the network and every engine.
    Images,
    /// Images through the reference.
    Reference,
    /// Images again, with other seeds of random hardware.
    Seeds,
    /// Layers through the stepped machines.
    SteppedLayers,
    /// Layers quantized one at a time, each in several ways, and the output looked at.
    Sensitivity,
}

impl Stage {
    /// What its parts are, in a few words.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Images => "images",
            Stage::Reference => "images, reference",
            Stage::Seeds => "images, other seeds",
            Stage::SteppedLayers => "layers stepped",
            Stage::Sensitivity => "ways to quantize a layer",
        }
    }
}

/// Who is told how far work is. All of it may be called from any thread.
pub trait Progress: Sync {
    /// A stage begins that has `total` parts.
    fn begin(&self, stage: Stage, total: u64);
    /// So many more parts are done.
    fn advance(&self, count: u64);
    /// The stage is over, with so many parts done.
    fn end(&self, stage: Stage, done: u64);
    /// Called often while work goes on that tells of no stage. It may unwind, which stops the work; so may the other three.
    fn check(&self) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: Stage, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self, _: Stage, _: u64) {}
}
