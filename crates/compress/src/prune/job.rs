//! One run of pruning, from tracing channels to the new network.

use network::{LayerId, LayerWeights, Network, Note, NoteKind};

use super::filters::{prune_filters, rounded};
use super::flow::Flow;
use super::options::{FilterAmount, PruneOptions, Pruning, Scope};
use super::propagate::{Dead, Model, Why};
use super::removal::Removal;
use super::report::{LayerPruning, PruneReport, PrunedUnit, PruningOutcome};
use super::rewrite::{Changes, rewrite};
use super::sparse::{prune_pattern, prune_weights};
use super::trace::trace;
use super::units::{Units, filter_of, measure, units};
use super::weights::Weights;
use crate::Watch;
use crate::error::CompressError;
use crate::ties::parted;

/// A network while it is pruned.
pub(super) struct Job<'a> {
    network: &'a Network,
    watch: Watch<'a>,
    flow: Flow,
    units: Units,
    weights: Vec<Weights>,
    /// By layer and filter: whether its bias is 0.
    unbiased: Vec<Vec<bool>>,
    dead: Dead,
    /// By layer and filter: without a weight in the network as it came.
    before: Vec<Vec<bool>>,
    /// By layer and filter: left without a weight when channels died.
    starved: Vec<Vec<bool>>,
    /// What each pruning did.
    outcomes: Vec<PruningOutcome>,
    /// Weights that were not 0 in the network as it came.
    nonzero_before: u64,
    /// Whether whole filters were asked for.
    prunes_filters: bool,
    /// What came out otherwise than it was asked for.
    notes: Vec<Note>,
}

impl<'a> Job<'a> {
    pub fn new(network: &'a Network, watch: Watch<'a>) -> Result<Self, CompressError> {
        let mut flow = trace(network);
        let watched = |layer| {
            watch();
            read(network, layer)
        };
        let weights: Vec<Weights> = (0..network.layers().len()).map(watched).collect::<Result<_, _>>()?;
        let unbiased = network.layers().iter().map(|layer| {
            (0..layer.out_channels()).map(|m| layer.bias.as_ref().is_none_or(|bias| bias.value(m) == 0.0)).collect()
        });
        let before: Vec<Vec<bool>> = weights.iter().map(zero_filters).collect();
        Ok(Self {
            network,
            watch,
            units: units(&mut flow),
            unbiased: unbiased.collect(),
            dead: Dead::new(&flow, &weights),
            starved: before.iter().map(|filters| vec![false; filters.len()]).collect(),
            before,
            nonzero_before: nonzero(&weights),
            weights,
            flow,
            outcomes: Vec::new(),
            prunes_filters: false,
            notes: Vec::new(),
        })
    }

    /// Prunes, each on its own, the filters whose largest magnitude is below a fraction of their layer's.
    pub fn prune_below(&mut self, fraction: f64) {
        self.prunes_filters = true;
        let peaks: Vec<Vec<f64>> = self.weights.iter().map(Weights::peaks).collect();
        let largest: Vec<f64> = peaks.iter().map(|peaks| peaks.iter().copied().fold(0.0, f64::max)).collect();
        let channels: Vec<usize> = self.units.all.iter().flat_map(|unit| unit.filters.iter().copied()).collect();
        let small = |channel: &usize| {
            let (layer, filter) = filter_of(&self.flow, *channel);
            peaks[layer][filter] > 0.0 && peaks[layer][filter] < fraction * largest[layer]
        };
        let small: Vec<usize> = channels.into_iter().filter(small).collect();
        small.iter().for_each(|&channel| self.dead.prune(&self.flow, channel, Why::Below));
        if !small.is_empty() {
            self.spread();
        }
    }

    pub fn prune(&mut self, pruning: Pruning, options: &PruneOptions) -> Result<(), CompressError> {
        (self.watch)();
        match pruning {
            Pruning::Weights(fraction) => self.each_tensor(|all| prune_weights(all, fraction, options.scope)),
            Pruning::Pattern { keep, of } => {
                self.weights.iter_mut().for_each(|weights| prune_pattern(weights, keep, of));
            }
            Pruning::Filters(amount) => return self.prune_filters(pruning, amount, options),
        }
        self.outcomes.push(self.of_weights(pruning, options.scope));
        Ok(())
    }

    /// Prunes whole filters.
    fn prune_filters(
        &mut self,
        pruning: Pruning,
        amount: FilterAmount,
        options: &PruneOptions,
    ) -> Result<(), CompressError> {
        self.prunes_filters = true;
        measure(&self.flow, &self.weights, &mut self.units.all);
        let model = Model::new(&self.flow, &self.unbiased, self.network.layers(), &self.weights);
        let how = (amount, options.scope);
        let choice = prune_filters(&model, &self.weights, &self.units, how, options.bits, &mut self.dead, self.watch)?;
        let outcome = PruningOutcome {
            pruning,
            unit: PrunedUnit::Filters,
            of: choice.of as u64,
            asked: choice.asked.map(|asked| asked as u64),
            done: choice.done as u64,
            short_because: choice.short_because,
        };
        self.notes.extend(outcome.shortfall().map(|text| Note::new(NoteKind::OffTarget, text)));
        self.notes.extend(choice.note.map(|text| Note::new(NoteKind::Unchanged, text)));
        self.outcomes.push(outcome);
        if choice.done > 0 {
            self.spread();
        }
        Ok(())
    }

    /// Prunes single weights. A tensor that several layers have counts once, and all of them get it as it comes out.
    fn each_tensor(&mut self, prune: impl FnOnce(&mut [Weights])) {
        let first_uses = &self.flow.first_uses;
        let firsts: Vec<usize> = (0..first_uses.len()).filter(|&layer| first_uses[layer] == layer).collect();
        if firsts.len() == first_uses.len() {
            return prune(&mut self.weights);
        }
        let mut tensors: Vec<Weights> = firsts.iter().map(|&layer| self.weights[layer].clone()).collect();
        prune(&mut tensors);
        let place = |first: &usize| firsts.binary_search(first).expect("every tensor has a first layer");
        self.weights = first_uses.iter().map(|first| tensors[place(first)].clone()).collect();
    }

    /// What a pruning of single weights did, just behind it. A tensor that several layers have counts once.
    fn of_weights(&self, pruning: Pruning, scope: Scope) -> PruningOutcome {
        let firsts = self.flow.first_uses.iter().enumerate().filter(|(layer, first)| layer == *first);
        let tensors: Vec<&Weights> = firsts.map(|(layer, _)| &self.weights[layer]).collect();
        let of: usize = tensors.iter().map(|tensor| tensor.len()).sum();
        let asked = pruning.fraction_of_weights().map(|fraction| match scope {
            Scope::Global => rounded(fraction, of) as u64,
            Scope::Layer => tensors.iter().map(|tensor| rounded(fraction, tensor.len()) as u64).sum(),
        });
        let done = of as u64 - tensors.iter().map(|tensor| tensor.nonzero()).sum::<u64>();
        PruningOutcome { pruning, unit: PrunedUnit::Weights, of: of as u64, asked, done, short_because: None }
    }

    /// Finds what dies with what is dead, and sets its weights to 0.
    fn spread(&mut self) {
        (self.watch)();
        let model = Model::new(&self.flow, &self.unbiased, self.network.layers(), &self.weights);
        model.propagate(&mut self.dead);
        let had: Vec<Vec<bool>> = self.weights.iter().map(zero_filters).collect();
        self.dead.apply(&mut self.weights);
        for (layer, weights) in self.weights.iter().enumerate() {
            for (filter, zero) in zero_filters(weights).into_iter().enumerate() {
                self.starved[layer][filter] |= zero && !had[layer][filter];
            }
        }
    }

    /// Writes the network.
    pub fn finish(mut self, compact: bool) -> Result<(Network, PruneReport), CompressError> {
        let removal = if compact {
            self.spread();
            let model = Model::new(&self.flow, &self.unbiased, self.network.layers(), &self.weights);
            let read = model.read_channels(&self.dead);
            Removal::new(&mut self.flow, &read)
        } else {
            Removal::none(&self.flow)
        };
        let mut report = self.report(&removal, compact);
        let changes = Changes { flow: &self.flow, dead: &self.dead, removal: &removal };
        let pruned = rewrite(self.network, self.weights, changes)?;
        report.notes.extend(parted(self.network, &pruned));
        Ok((pruned, report))
    }

    fn report(&mut self, removal: &Removal, compact: bool) -> PruneReport {
        let layers: Vec<LayerPruning> = (0..self.weights.len()).map(|i| self.layer_report(i, removal)).collect();
        let mut notes = std::mem::take(&mut self.notes);
        // Single weights go wherever they are.
        if self.prunes_filters || compact {
            notes.extend(self.lost_notes());
        }
        let constants: usize = layers.iter().map(|layer| layer.filters_by_input).sum();
        if constants > 0 {
            let text = "filters have no live input left; what their bias and BatchNorm add is kept as a constant";
            notes.push(Note::new(NoteKind::Consequence, format!("{constants} {text}")));
        }
        let dead: usize = layers.iter().map(|layer| layer.dead_filters.len()).sum();
        let removed: usize = layers.iter().map(|layer| layer.filters_removed).sum();
        if compact && removed < dead {
            let text = "dead filters stay in the tensors as zeros: a live channel shares their index, or adds a constant to it";
            notes.push(Note::new(NoteKind::Unchanged, format!("{} {text}", dead - removed)));
        }
        let is_smaller = layers.iter().any(|layer| layer.filters_removed + layer.channels_removed > 0);
        let changes_nothing = !is_smaller && nonzero(&self.weights) == self.nonzero_before;
        if changes_nothing {
            notes.extend(self.nothing_note(compact, &notes));
        }
        PruneReport { prunings: std::mem::take(&mut self.outcomes), layers, notes, changes_nothing }
    }

    fn layer_report(&self, index: usize, removal: &Removal) -> LayerPruning {
        let (layer, weights, flow) = (&self.network.layers()[index], &self.weights[index], &self.flow.layers[index]);
        let removed = |channels: &[usize]| channels.iter().filter(|&&channel| removal.gone[channel]).count();
        let dead_channels = &self.dead.channels[index];
        let dead_channels: Vec<usize> = (0..dead_channels.len()).filter(|&c| dead_channels[c]).collect();
        let mut report = LayerPruning {
            layer: layer.name.clone(),
            filters: weights.shape.filters,
            channels: layer.in_channels(),
            channels_by_input: dead_channels.len(),
            filters_removed: removed(&flow.filters),
            channels_removed: removed(&flow.inputs),
            weights: weights.len() as u64,
            weights_pruned: weights.len() as u64 - weights.nonzero(),
            dead_channels,
            removed_filters: (0..flow.filters.len()).filter(|&filter| removal.gone[flow.filters[filter]]).collect(),
            ..LayerPruning::default()
        };
        for (filter, _) in zero_filters(weights).into_iter().enumerate().filter(|(_, zero)| *zero) {
            let why = match self.dead.filters[index][filter] {
                _ if self.before[index][filter] => Why::Before,
                Some(why) => why,
                None if self.starved[index][filter] => Why::Input,
                None => Why::Weights,
            };
            report.add(filter, why);
        }
        report
    }

    /// That every weight is still there. Where less was pruned than was asked for, `notes` say so already.
    fn nothing_note(&self, compact: bool, notes: &[Note]) -> Option<Note> {
        let prunes = self.prunes_filters || !self.outcomes.is_empty();
        if notes.iter().any(|note| note.kind() == NoteKind::OffTarget) {
            return None;
        }
        let text = match (prunes, compact) {
            (true, _) => "nothing is pruned: what was asked for comes to no filter and no weight that is not 0 already",
            (false, true) => "nothing is removed: the network has no filter that could go",
            (false, false) => return None,
        };
        Some(Note::new(NoteKind::Unchanged, text))
    }

    /// One line for each operator behind which channels are lost, with the filters that it keeps.
    fn lost_notes(&mut self) -> Vec<Note> {
        let classes = self.flow.classes();
        let filters: Vec<usize> = self.flow.layers.iter().flat_map(|layer| &layer.filters).copied().collect();
        let note = |(place, channels): &(String, Vec<usize>)| {
            let mut held = vec![false; classes.len()];
            channels.iter().for_each(|&channel| held[classes[channel]] = true);
            let count = filters.iter().filter(|&&channel| held[classes[channel]]).count();
            let text = format!("{place}: channels are not tracked through it; {count} filters are not pruned");
            (count > 0).then(|| Note::new(NoteKind::Unchanged, text))
        };
        self.flow.lost.iter().filter_map(note).collect()
    }
}

fn read(network: &Network, index: usize) -> Result<Weights, CompressError> {
    let layer = &network.layers()[index];
    match network.weights(LayerId(index))? {
        LayerWeights::Float(values) => Ok(Weights::new(layer, values)),
        LayerWeights::Quantized { .. } => {
            let problem = "its weights are quantized already; pruning comes first".to_string();
            Err(CompressError::Layer { layer: layer.name.clone(), problem })
        }
    }
}

/// By filter, whether all its weights are 0.
fn zero_filters(weights: &Weights) -> Vec<bool> {
    weights.peaks().into_iter().map(|peak| peak == 0.0).collect()
}

fn nonzero(weights: &[Weights]) -> u64 {
    weights.iter().map(Weights::nonzero).sum()
}
