//! Where in a checkpoint the weights are, and what they are called.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use network::{Mend, Note, NoteKind};

use super::optimizer;
use super::torch_tensor::{called, is_tensor, storage_of};
use crate::names::tensors;
use crate::pickle::{Id, Object, Pickle};
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// Keys under which training scripts save the weights, the likeliest first.
const USUAL_KEYS: [&str; 12] = [
    "state_dict",
    "model_state_dict",
    "model",
    "model_state",
    "net",
    "network",
    "module",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
    "weights",
];

/// How deep dictionaries may lie in one another.
const MAX_DEPTH: usize = 32;

/// How many arguments of a tensor are looked at, and how deep: its quantizer is a tuple, with tensors of scales.
const MAX_ARGUMENTS: usize = 16;
const MAX_DEPTH_OF_TENSOR: usize = 4;

/// The most bytes of all names, and the most items that are looked at. A hostile file could multiply both by sharing
/// dictionaries.
const MAX_NAMES: usize = 1 << 26;

/// The tensors that were found.
pub(super) struct StateDict {
    /// Name and object.
    pub(super) tensors: Vec<(String, Id)>,
    pub(super) notes: Vec<Note>,
    /// Whether they stand under the key that was asked for.
    pub(super) is_chosen: bool,
}

/// Finds the weights: under the key that is asked for, where there is one; else at the top, or under a usual key.
pub(super) fn find(pickle: &Pickle<'_>, state: Option<&str>) -> Result<StateDict, Fault> {
    let mut walk = Walk { pickle, budget: MAX_NAMES };
    let (mut root, mut notes, mut is_chosen) = (pickle.root, Vec::new(), false);
    for _ in 0..MAX_DEPTH {
        let Some(entries) = walk.entries(root)? else { break };
        if is_module(pickle, root) || entries.iter().any(|(_, id)| is_tensor(pickle, *id)) {
            break;
        }
        let mut holders = Vec::new();
        for (key, id) in &entries {
            let count = walk.tensors(*id)?.len();
            if count > 0 {
                holders.push((key, *id, count));
            }
        }
        let usual = USUAL_KEYS.iter().find_map(|usual| holders.iter().find(|(key, ..)| key == usual));
        let asked = holders.iter().find(|(key, ..)| !is_chosen && Some(key.as_ref()) == state);
        is_chosen |= asked.is_some();
        let Some(&(key, id, _)) = asked.or(usual) else { break };
        let others = holders.iter().filter(|(other, ..)| *other != key);
        let others: Vec<String> =
            others.map(|(other, _, count)| format!("{:?} ({})", clean(other), tensors(*count))).collect();
        if !others.is_empty() {
            let text = format!("weights are those under {key:?}; left out are those under {}", others.join(", "));
            let note = Note::new(NoteKind::LeftOut, text);
            let is_choice = holders.iter().any(|(other, ..)| *other != key && !optimizer::holds_training(other));
            notes.push(if is_choice { note.mended_by(Mend::NameState) } else { note });
        }
        root = id;
    }
    let tensors = walk.tensors(root)?;
    Ok(StateDict { tensors, notes, is_chosen })
}

/// A note on storages that belong to no tensor that can be found: those of objects that only PyTorch can make.
pub(super) fn unreached(pickle: &Pickle<'_>) -> Result<Option<Note>, Fault> {
    let found = Walk { pickle, budget: MAX_NAMES }.tensors(pickle.root)?;
    let mut reached = HashSet::new();
    for (_, id) in found {
        reach(pickle, id, 0, &mut reached);
    }
    let all: BTreeSet<&str> = (0..pickle.objects.len()).filter_map(|id| Some(storage_of(pickle, id)?.key)).collect();
    let left = all.iter().filter(|key| !reached.contains(**key)).count();
    let text = format!(
        "{left} of the file's {} storages belong to no parameter, buffer or entry of a dictionary, as where PyTorch packs weights in \
         objects of its own (torch.ScriptObject); what they hold is left out",
        all.len()
    );
    Ok((left > 0).then(|| Note::new(NoteKind::LeftOut, text)))
}

/// Takes in the storages that the arguments of a tensor name, those of scales among them.
fn reach<'a>(pickle: &Pickle<'a>, id: Id, depth: usize, reached: &mut HashSet<&'a str>) {
    if let Some(storage) = storage_of(pickle, id) {
        reached.insert(storage.key);
        return;
    }
    let parts = if let Object::Tuple(parts) = pickle.get(id) { Some(parts.as_slice()) } else { None };
    let arguments = called(pickle, id).map(|(_, arguments)| arguments).or(parts);
    for &argument in arguments.unwrap_or_default().iter().take(MAX_ARGUMENTS).filter(|_| depth < MAX_DEPTH_OF_TENSOR) {
        reach(pickle, argument, depth + 1, reached);
    }
}

/// A walk through dictionaries with a bound on what it writes.
struct Walk<'p, 'a> {
    pickle: &'p Pickle<'a>,
    budget: usize,
}

impl<'a> Walk<'_, 'a> {
    /// All tensors at or below an object, keys joined by dots.
    fn tensors(&mut self, id: Id) -> Result<Vec<(String, Id)>, Fault> {
        let mut found = Vec::new();
        self.descend("", id, 0, &mut found)?;
        Ok(found)
    }

    fn descend(&mut self, name: &str, id: Id, depth: usize, found: &mut Vec<(String, Id)>) -> Result<(), Fault> {
        self.spend(name.len() + 16)?;
        if is_tensor(self.pickle, id) {
            found.push((name.to_string(), id));
            return Ok(());
        }
        let Some(entries) = self.entries(id)? else { return Ok(()) };
        if depth == MAX_DEPTH {
            return Err(invalid!("dictionaries more than {MAX_DEPTH} deep at {:?}", clean(name)));
        }
        for (key, child) in entries {
            let inner = if name.is_empty() { key } else { Cow::Owned(format!("{name}.{key}")) };
            self.descend(&inner, child, depth + 1, found)?;
        }
        Ok(())
    }

    /// As [`entries`], within the bound.
    fn entries(&mut self, id: Id) -> Result<Option<Entries<'a>>, Fault> {
        self.spend(visited(self.pickle, id))?;
        Ok(entries(self.pickle, id))
    }

    fn spend(&mut self, cost: usize) -> Result<(), Fault> {
        let left = self.budget.checked_sub(cost);
        self.budget =
            left.ok_or_else(|| unsupported!("dictionaries whose names and items take more than {MAX_NAMES} bytes"))?;
        Ok(())
    }
}

/// How many items [`entries`] looks at.
fn visited(pickle: &Pickle<'_>, id: Id) -> usize {
    let Object::Call { state: Some(state), .. } = pickle.get(id) else { return length(pickle, id) };
    let parts = if let Object::Tuple(parts) = pickle.get(*state) { parts.len() } else { 0 };
    let items = state_items(pickle, *state).unwrap_or_default();
    let held = items.iter().map(|&(_, part)| length(pickle, part)).fold(0, usize::saturating_add);
    parts.saturating_add(items.len()).saturating_add(held).saturating_add(length(pickle, id))
}

/// Items of a collection itself.
fn length(pickle: &Pickle<'_>, id: Id) -> usize {
    let object = pickle.get(id);
    let listed = list_of_pairs(pickle, id).map_or(0, <[_]>::len);
    object.items().map_or(0, <[_]>::len) + object.elements().map_or(0, <[_]>::len) + listed
}

/// The parts of a module that hold tensors. An object of any other kind has none.
const MODULE_PARTS: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// Keys and values. A key that is text is not copied, for a file could share a long one a million times.
type Entries<'a> = Vec<(Cow<'a, str>, Id)>;

/// Keys and values of a dictionary, a list, or an object's state; `None` of anything else.
fn entries<'a>(pickle: &Pickle<'a>, id: Id) -> Option<Entries<'a>> {
    let object = pickle.get(id);
    if let Some(ids) = object.elements() {
        return Some(ids.iter().enumerate().map(|(index, &id)| (Cow::Owned(index.to_string()), id)).collect());
    }
    if let Object::Call { state: Some(state), .. } = object
        && let Some(state) = state_items(pickle, *state).filter(|_| ordered(pickle, id).is_none())
    {
        return Some(state_entries(pickle, state));
    }
    items(pickle, id).map(|items| named(pickle, &items))
}

/// The arguments of an `OrderedDict`.
fn ordered<'p>(pickle: &'p Pickle<'_>, id: Id) -> Option<&'p [Id]> {
    let (function, arguments) = called(pickle, id)?;
    (function == ("collections", "OrderedDict")).then_some(arguments)
}

/// What an `OrderedDict` is made of by Python 2: a list of pairs.
fn list_of_pairs<'p>(pickle: &'p Pickle<'_>, id: Id) -> Option<&'p [Id]> {
    let &[list] = ordered(pickle, id)? else { return None };
    pickle.get(list).elements()
}

/// Keys and values of a dictionary.
fn items<'p>(pickle: &'p Pickle<'_>, id: Id) -> Option<Cow<'p, [(Id, Id)]>> {
    let Some(list) = list_of_pairs(pickle, id) else { return pickle.get(id).items().map(Cow::Borrowed) };
    let pair = |&id: &Id| if let Some(&[key, value]) = pickle.get(id).elements() { Some((key, value)) } else { None };
    Some(list.iter().filter_map(pair).collect())
}

/// Items with keys of text or whole numbers.
fn named<'a>(pickle: &Pickle<'a>, items: &[(Id, Id)]) -> Entries<'a> {
    let key = |id: Id| {
        if let Object::Text(text) = pickle.get(id) {
            return Some(Cow::Borrowed(*text));
        }
        if let Object::Integer(n) = pickle.get(id) { Some(Cow::Owned(n.to_string())) } else { None }
    };
    items.iter().filter_map(|&(k, v)| Some((key(k)?, v))).collect()
}

/// The dictionary of a state, which stands alone or first in a tuple.
fn state_items<'p>(pickle: &'p Pickle<'_>, state: Id) -> Option<&'p [(Id, Id)]> {
    let dictionary = |id: Id| if let Object::Dict(items) = pickle.get(id) { Some(items.as_slice()) } else { None };
    let Object::Tuple(parts) = pickle.get(state) else { return dictionary(state) };
    parts.iter().find_map(|&part| dictionary(part))
}

fn state_entries<'a>(pickle: &Pickle<'a>, state: &[(Id, Id)]) -> Entries<'a> {
    let all = named(pickle, state);
    let parts: Vec<Id> =
        all.iter().filter(|(key, _)| MODULE_PARTS.contains(&key.as_ref())).map(|(_, id)| *id).collect();
    match parts.as_slice() {
        [] => all,
        parts => parts.iter().flat_map(|&part| entries_of_part(pickle, part)).collect(),
    }
}

/// Entries of `_parameters` and the like, which are dictionaries.
fn entries_of_part<'a>(pickle: &Pickle<'a>, part: Id) -> Entries<'a> {
    named(pickle, &items(pickle, part).unwrap_or_default())
}

/// Whether an object is a module: its state has a dictionary of parameters.
fn is_module(pickle: &Pickle<'_>, id: Id) -> bool {
    let Object::Call { state: Some(state), .. } = pickle.get(id) else { return false };
    state_items(pickle, *state)
        .is_some_and(|items| named(pickle, items).iter().any(|(key, _)| MODULE_PARTS.contains(&key.as_ref())))
}
