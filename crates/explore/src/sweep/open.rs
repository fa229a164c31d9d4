//! A plan that is opened once and runs points as they are asked for.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock};

use compress::{ReestimateOptions, Sensitivity};
use rayon::ThreadPool;

use super::counted::{Counted, SweepStatus};
use super::inputs::{Inputs, Point};
use super::ledger::Ledger;
use super::plan::{Plan, PointEntry, problem};
use super::point::Workshop;
use super::points::{Keys, ListedPoints};
use super::product::Way;
use super::pruned::PrunedNetworks;
use super::sensitivity::SensitivityRequest;
use super::{RunOptions, Shard, SweepReport};
use crate::error::ExploreError;
use crate::key::PointKey;
use crate::store::{KnownPoints, Store, Writers};

/// A plan whose files are open, and whose points run when somebody asks for them, in any number of calls.
///
/// What points share is made once for all calls: networks, decoded images, the answers of the float network. Of pruned
/// networks those that were asked for last are kept. [`super::sweep`] is one call that asks for every point.
pub struct OpenPlan {
    pub(super) plan: Plan,
    pub(super) inputs: Inputs,
    listed: ListedPoints,
    keys: Keys,
    pruned: PrunedNetworks,
    ledger: Ledger,
    /// Bytes of memory for the points that run at a time.
    pub(super) room: u64,
    /// Of the points of the plan, by key.
    places: OnceLock<HashMap<PointKey, u64>>,
    added: Mutex<Added>,
}

/// Points that were added to those of the plan. Their numbers follow those of the plan.
#[derive(Default)]
struct Added {
    ways: Vec<Way>,
    places: HashMap<PointKey, u64>,
}

impl OpenPlan {
    /// Opens everything that a plan names. Of `memory_bytes`, half is for decoded images, an eighth for pruned
    /// networks, a sixteenth for costs of layers, and the rest bounds the points that run at a time.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used.
    pub fn open(plan: Plan, memory_bytes: u64) -> Result<Self, ExploreError> {
        let inputs = Inputs::open(&plan, memory_bytes / 2)?;
        let listed = ListedPoints::new(&plan.file, &inputs).map_err(|words| problem(&plan.path, words))?;
        let keys = inputs.keys();
        let pruned = PrunedNetworks::new(memory_bytes / 8);
        let ledger = Ledger::new(memory_bytes / 16, inputs.hardware.len());
        let room = memory_bytes - memory_bytes / 2 - memory_bytes / 8 - memory_bytes / 16;
        let (places, added) = (OnceLock::new(), Mutex::default());
        Ok(Self { plan, inputs, listed, keys, pruned, ledger, room, places, added })
    }

    /// Every point's key: those of the plan in its order, then those that were added.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.listed.each(&self.keys, |_, key| keys.push(key.to_string()));
        let added = self.added();
        keys.extend(added.ways.iter().map(|way| self.keys.of(way).to_string()));
        keys
    }

    /// How many points of the plan, or of a shard of it, a store has. Nothing is run and nothing written; without a store all
    /// points are open.
    ///
    /// # Errors
    ///
    /// Those of reading the store.
    pub fn status(&self, store: Option<&Store>, shard: Option<Shard>) -> Result<SweepStatus, ExploreError> {
        let known = store.map_or(Ok(KnownPoints::default()), Store::known)?;
        Ok(self.count(&known, shard).status)
    }

    /// Adds a point that the plan does not list, and returns its key. A point that is there already, by the plan or by
    /// an earlier call, keeps its key and its place.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] if the entry would be refused as a `[[point]]` of the plan.
    pub fn add(&self, entry: &PointEntry) -> Result<String, ExploreError> {
        let file = &self.plan.file;
        entry.check(&file.networks, file.statistics.is_some()).map_err(|problem| self.refuse(problem))?;
        let way = self.inputs.way(entry);
        let key = self.keys.of(&way);
        if !self.places().contains_key(&key) {
            let mut added = self.added();
            let place = self.listed.len() + added.ways.len() as u64;
            if *added.places.entry(key).or_insert(place) == place {
                added.ways.push(way);
            }
        }
        Ok(key.to_string())
    }

    /// A point in a few words: `filters −20 %, 4 bits`.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] for a key that no point has.
    pub fn label(&self, key: &str) -> Result<String, ExploreError> {
        Ok(self.places_of(&[key])?.iter().map(|&(place, _)| self.point(place).configuration.label()).collect())
    }

    /// Runs those of the points that the store does not have. Points are written within a second after they finish.
    /// A key that comes twice counts once.
    ///
    /// Other processes may work on other points of the same store meanwhile, but no sweep of a whole plan.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] for a key that no point has; those of the store, and of files that have gone. A point that
    /// fails for reasons of its own is stored as failed, and the run goes on.
    pub fn run<K: AsRef<str>>(
        &self,
        keys: &[K],
        store: &Path,
        options: &RunOptions<'_>,
    ) -> Result<SweepReport, ExploreError> {
        let places = self.places_of(keys)?;
        let count = |known: &KnownPoints| {
            let mut counted = Counted::default();
            places.iter().for_each(|&(place, key)| counted.add(place, key, known));
            counted
        };
        self.run_counted(&count, store, Writers::Shards, options)
    }

    /// How much each layer of a network of the plan bears. `progress` is told how many ways to quantize a layer were measured,
    /// and of how many; it may stop the work by unwinding.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] for a network or a pruning that a point would be refused for; those of
    /// [`compress::sensitivity`].
    pub fn sensitivity(
        &self,
        request: &SensitivityRequest<'_>,
        threads: usize,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Sensitivity, ExploreError> {
        let point = self.unquantized(request)?;
        self.in_workshop(threads, |workshop| workshop.sensitivity(&point, request, progress))
    }

    /// What every layer of a network of the plan costs in each of the request's ways: for each way, in the order of
    /// [`Sensitivity::layers`]. No image is looked at.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Point`] for a network or a pruning that a point would be refused for; those of
    /// [`compress::costs_of_choices`].
    pub fn costs_of_choices(
        &self,
        request: &SensitivityRequest<'_>,
        threads: usize,
    ) -> Result<Vec<Vec<u128>>, ExploreError> {
        let point = self.unquantized(request)?;
        self.in_workshop(threads, |workshop| workshop.costs_of_choices(&point, request.choices, &request.cost))
    }

    /// The network of a request, pruned, as a point.
    fn unquantized(&self, request: &SensitivityRequest<'_>) -> Result<Point, ExploreError> {
        let (network, prune) = (request.network.clone(), request.prune.clone());
        let entry = PointEntry { network, prune, quantize: None, reestimate: request.reestimate };
        // Images of either table serve.
        entry.check(&self.plan.file.networks, true).map_err(|problem| self.refuse(problem))?;
        Ok(self.inputs.point(self.inputs.way(&entry)))
    }

    /// Work on so many threads that is no point's.
    fn in_workshop<T>(
        &self,
        threads: usize,
        work: impl FnOnce(&Workshop<'_>) -> Result<T, ExploreError>,
    ) -> Result<T, ExploreError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(ExploreError::Threads)?;
        work(&self.workshop(&pool, self.room, &|| {}))
    }

    /// What points run with, of which each may take so much memory for a re-estimation.
    pub(super) fn workshop<'a>(
        &'a self,
        pool: &'a ThreadPool,
        memory_bytes: u64,
        image: &'a (dyn Fn() + Sync),
    ) -> Workshop<'a> {
        let reestimate = ReestimateOptions { memory_bytes };
        Workshop { inputs: &self.inputs, pruned: &self.pruned, ledger: &self.ledger, pool, reestimate, image }
    }

    /// Runs those of the points of the plan, or of a shard of it, that the store does not have.
    pub(super) fn run_shard(
        &self,
        shard: Option<Shard>,
        store: &Path,
        options: &RunOptions<'_>,
    ) -> Result<SweepReport, ExploreError> {
        let writers = if shard.is_some() { Writers::Shards } else { Writers::One };
        self.run_counted(&|known| self.count(known, shard), store, writers, options)
    }

    /// Every n-th point, so that shards take their share of every network and pruning.
    fn count(&self, known: &KnownPoints, shard: Option<Shard>) -> Counted {
        let Shard { index, of } = shard.unwrap_or(Shard { index: 1, of: 1 });
        let (mut counted, mut number) = (Counted::default(), 0);
        self.listed.each(&self.keys, |place, key| {
            if number % of == index - 1 {
                counted.add(place, key, known);
            }
            number += 1;
        });
        counted
    }

    /// The points of these keys, each once.
    pub(super) fn places_of<K: AsRef<str>>(&self, keys: &[K]) -> Result<Vec<(u64, PointKey)>, ExploreError> {
        let mut seen = HashSet::new();
        let place = |text: &str| {
            let listed = text.parse().ok().map(|key: PointKey| (key, self.places().get(&key).copied()));
            let found = listed.and_then(|(key, place)| Some((place.or_else(|| self.added_place(key))?, key)));
            found.ok_or_else(|| {
                self.refuse(format!("no point has the key {text:?}; expected one of the plan, or one that was added"))
            })
        };
        keys.iter().map(AsRef::as_ref).filter(|&key| seen.insert(key)).map(place).collect()
    }

    fn added_place(&self, key: PointKey) -> Option<u64> {
        self.added().places.get(&key).copied()
    }

    /// Where the points of the plan stand, by their keys; made for whoever asks for points by key.
    fn places(&self) -> &HashMap<PointKey, u64> {
        self.places.get_or_init(|| {
            let mut places = HashMap::new();
            self.listed.each(&self.keys, |place, key| {
                places.insert(key, place);
            });
            places
        })
    }

    pub(super) fn point(&self, place: u64) -> Point {
        let way = match place.checked_sub(self.listed.len()) {
            None => self.listed.way(place),
            Some(added) => self.added().ways[added as usize].clone(),
        };
        self.inputs.point(way)
    }

    fn added(&self) -> MutexGuard<'_, Added> {
        self.added.lock().expect("no thread panics while it looks points up")
    }

    fn refuse(&self, problem: String) -> ExploreError {
        ExploreError::Point { plan: self.plan.path.clone(), problem }
    }
}
