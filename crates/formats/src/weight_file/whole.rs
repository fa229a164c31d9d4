//! Several tensors that make one weight: masks of pruning, weights with a norm, parametrizations.
//!
//! `torch.nn.utils` saves what a weight is computed of, and not the weight. Its tensors are joined while the file is
//! listed, so that nothing behind the list knows of them. What only the code of a network knows is told by its name: a
//! weight like that is no layer, and a network without it is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use network::{Note, NoteKind, Tensor};

use super::formula::{Step, compute, numbers};
use super::{Content, Doubt, WeightTensor};
use crate::names::listed;
use crate::reading::fault::{Fault, invalid};

/// The module under which PyTorch keeps what a tensor is computed of.
const PARAMETRIZATIONS: &str = "parametrizations";

/// How to make a weight.
struct Recipe<'a> {
    /// Name of the weight.
    name: String,
    base: &'a WeightTensor,
    steps: Vec<Step<'a>>,
}

/// What becomes of a tensor that a weight is computed of.
enum Made<'a> {
    By(Recipe<'a>),
    /// In a way that is not known, for this reason.
    Unknown(String),
}

/// Puts weights in the place of the tensors that make them. A note says how.
pub(super) fn joined(mut found: Content) -> Result<Content, Fault> {
    let tensors = std::mem::take(&mut found.tensors);
    let by_name: Named<'_> = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let (mut recipes, mut parts, mut names) = (HashMap::new(), BTreeSet::new(), HashSet::new());
    for tensor in &tensors {
        let reason = match made(tensor, &by_name)? {
            None => continue,
            Some(Made::By(recipe)) => {
                let is_there = by_name.contains_key(recipe.name.as_str()) && recipe.name != tensor.name;
                if !is_there && names.insert(recipe.name.clone()) {
                    parts.extend(recipe.steps.iter().flat_map(|step| step.parts()).map(|part| part.name.as_str()));
                    recipes.insert(tensor.name.as_str(), recipe);
                    continue;
                }
                format!("it makes {:?}, which the file holds as well", recipe.name)
            }
            Some(Made::Unknown(reason)) => reason,
        };
        found.doubts.push(Doubt { name: tensor.name.clone(), reason });
    }
    let told = put_in_place(&recipes, &parts, &tensors, &mut found)?;
    if !told.is_empty() {
        let text = format!("weights that are made of several tensors: {}", listed(&told));
        found.notes.push(Note::new(NoteKind::Assumed, text));
    }
    Ok(found)
}

/// Lists the tensors, with weights in the place of what they are made of. Returns how each is made.
fn put_in_place(
    recipes: &HashMap<&str, Recipe<'_>>,
    parts: &BTreeSet<&str>,
    tensors: &[WeightTensor],
    found: &mut Content,
) -> Result<Vec<String>, Fault> {
    let mut told = Vec::new();
    let mut shared = Shared::default();
    for tensor in tensors {
        let Some(recipe) = recipes.get(tensor.name.as_str()) else {
            found.tensors.extend((!parts.contains(tensor.name.as_str())).then(|| tensor.clone()));
            continue;
        };
        match shared.made(recipe)? {
            Some(made) => {
                told.push(text(recipe));
                found.tensors.push(weight(recipe, made));
            }
            None => {
                found.doubts.push(Doubt { name: tensor.name.clone(), reason: undecided(recipe) });
                found.tensors.push(tensor.clone());
            }
        }
    }
    Ok(told)
}

/// The weight of a recipe in the place of what it is made of.
fn weight(recipe: &Recipe<'_>, tensor: Tensor) -> WeightTensor {
    let (name, shape) = (recipe.name.clone(), tensor.shape.clone());
    WeightTensor { name, shape, tensor, transforms: Vec::new(), quantization: None, eight_bits: None }
}

/// That a spectral norm of a weight with two equal axes may be along either.
fn undecided(recipe: &Recipe<'_>) -> String {
    let (name, shape) = (&recipe.name, &recipe.base.shape);
    format!(
        "it makes {name:?} {shape:?} by a spectral norm along the first axis or the second, and u and v fit neither alone"
    )
}

/// The tensors of a file by name. Those of one module follow each other.
type Named<'a> = BTreeMap<&'a str, &'a WeightTensor>;

/// What a tensor makes together with others; `None` where it stands for itself.
fn made<'a>(tensor: &'a WeightTensor, named: &Named<'a>) -> Result<Option<Made<'a>>, Fault> {
    if !tensor.tensor.data_type.is_real() || tensor.quantization.is_some() {
        return Ok(None);
    }
    let name = tensor.name.as_str();
    for part in ["original", "original0", "original1"] {
        if let Some((module, owner)) = parametrized(name, part) {
            return parametrization(tensor, part, module, &owner, named);
        }
    }
    if let Some(stem) = name.strip_suffix("_orig") {
        return old_style(tensor, stem, named);
    }
    if let Some(stem) = name.strip_suffix("_v")
        && let Some(&length) = named.get(format!("{stem}_g").as_str())
        && Step::Length(length).fits(&tensor.shape)
    {
        return recipe(stem.to_string(), tensor, vec![Step::Length(length)]).map(Some);
    }
    match name.strip_suffix("weight").filter(|stem| stem.is_empty() || stem.ends_with('.')) {
        Some(stem) => beside(tensor, stem, named),
        None => Ok(None),
    }
}

/// The module of a parametrization with a dot behind it, and the name of what it makes.
///
/// `a.parametrizations.weight.original` lies in `a.parametrizations.weight.` and makes `a.weight`.
fn parametrized<'a>(name: &'a str, part: &str) -> Option<(&'a str, String)> {
    let module = name.strip_suffix(part)?;
    let (before, tensor) = module.strip_suffix('.')?.rsplit_once('.')?;
    let owner = before.strip_suffix(PARAMETRIZATIONS)?;
    (owner.is_empty() || owner.ends_with('.')).then(|| (module, format!("{owner}{tensor}")))
}

/// What the parametrizations in a module make of a tensor.
fn parametrization<'a>(
    tensor: &'a WeightTensor,
    part: &str,
    module: &str,
    owner: &str,
    named: &Named<'a>,
) -> Result<Option<Made<'a>>, Fault> {
    let at = |name: &str| named.get(format!("{module}{name}").as_str()).copied();
    let others = named.range(module..).take_while(|(name, _)| name.starts_with(module));
    let others: Vec<&str> = others.map(|(name, _)| &name[module.len()..]).collect();
    let steps = match (part, others.as_slice()) {
        // It goes with `original1`.
        ("original0", ["original0", "original1"]) => return Ok(None),
        ("original1", ["original0", "original1"]) => at("original0").map(Step::Length).into_iter().collect(),
        ("original", _) => steps_of(&others, at),
        _ => Vec::new(),
    };
    let count: usize = steps.iter().map(|step: &Step<'_>| step.parts().len()).sum();
    if steps.is_empty() || count + 1 != others.len() {
        let reason = format!("it makes {owner:?} by code that the file does not hold");
        return Ok(Some(Made::Unknown(reason)));
    }
    recipe(owner.to_string(), tensor, steps).map(Some)
}

/// The parametrizations 0, 1, … of one tensor, as far as their tensors say what they do.
fn steps_of<'a>(others: &[&str], at: impl Fn(&str) -> Option<&'a WeightTensor>) -> Vec<Step<'a>> {
    let step = |i: usize| {
        let vector = |end: &str| at(&format!("{i}.{end}"));
        let spectral = || Some(Step::Spectral { left: vector("_u")?, right: vector("_v")? });
        vector("mask").map(Step::Mask).or_else(spectral)
    };
    (0..others.len()).map_while(step).collect()
}

/// What `x_orig` makes: masks of pruning stand beside it, or the vectors of a spectral norm.
fn old_style<'a>(tensor: &'a WeightTensor, stem: &str, named: &Named<'a>) -> Result<Option<Made<'a>>, Fault> {
    let at = |end: &str| named.get(format!("{stem}{end}").as_str()).copied();
    Ok(Some(match (at("_mask"), at("_u"), at("_v")) {
        (Some(mask), None, None) => recipe(stem.to_string(), tensor, vec![Step::Mask(mask)])?,
        (None, Some(left), Some(right)) => recipe(stem.to_string(), tensor, vec![Step::Spectral { left, right }])?,
        (None, _, _) if !stem.ends_with("weight") => return Ok(None),
        _ => Made::Unknown(format!("it makes {stem:?} by code that the file does not hold")),
    }))
}

/// What `x.weight` is where a mask of its shape stands beside it.
fn beside<'a>(tensor: &'a WeightTensor, stem: &str, named: &Named<'a>) -> Result<Option<Made<'a>>, Fault> {
    let mut masks = ["weight_mask", "mask"].into_iter().filter_map(|end| named.get(format!("{stem}{end}").as_str()));
    let mask = masks.find(|mask| mask.shape == tensor.shape && tensor.shape.len() > 1);
    let Some(&mask) = mask else { return Ok(None) };
    if numbers(mask)?.iter().any(|&number| number != 0.0 && number != 1.0) {
        let reason = format!("{:?} stands beside it and holds more than 0 and 1", mask.name);
        return Ok(Some(Made::Unknown(reason)));
    }
    recipe(tensor.name.clone(), tensor, vec![Step::Mask(mask)]).map(Some)
}

/// A recipe whose steps fit, one after the other.
fn recipe<'a>(name: String, base: &'a WeightTensor, steps: Vec<Step<'a>>) -> Result<Made<'a>, Fault> {
    let Some(wrong) = steps.iter().find(|step| !step.fits(&base.shape)) else {
        return Ok(Made::By(Recipe { name, base, steps }));
    };
    let parts: Vec<String> = wrong.parts().iter().map(|part| format!("{:?} {:?}", part.name, part.shape)).collect();
    Err(invalid!(
        "tensor {:?} of shape {:?} and {} do not make a weight: their shapes do not fit",
        base.name,
        base.shape,
        parts.join(" and ")
    ))
}

/// A weight as a note shows it: `"conv.weight" = weight_orig · weight_mask`.
fn text(recipe: &Recipe<'_>) -> String {
    let module = |name: &str| name.rfind('.').map_or(0, |dot| dot + 1);
    let short = |tensor: &WeightTensor| tensor.name[module(&tensor.name)..].to_string();
    let formula = recipe.steps.iter().fold(short(recipe.base), |w, step| step.text(&w, short));
    format!("{:?} = {formula}", recipe.name)
}

/// Weights that were made. PyTorch saves tied weights once and names them twice; so they stay one here.
#[derive(Default)]
struct Shared {
    made: HashMap<Vec<(*const u8, usize)>, Tensor>,
}

impl Shared {
    /// What a recipe makes; none where its numbers do not tell.
    fn made(&mut self, recipe: &Recipe<'_>) -> Result<Option<Tensor>, Fault> {
        let parts = recipe.steps.iter().flat_map(|step| step.parts());
        let chunks = std::iter::once(recipe.base).chain(parts).flat_map(|tensor| &tensor.tensor.chunks);
        let places: Vec<_> = chunks.map(|chunk| (chunk.as_ptr(), chunk.len())).collect();
        if let Some(tensor) = self.made.get(&places).filter(|tensor| tensor.shape == recipe.base.shape) {
            return Ok(Some(tensor.clone()));
        }
        let made = compute(recipe.base, &recipe.steps)?;
        made.iter().for_each(|tensor| drop(self.made.insert(places.clone(), tensor.clone())));
        Ok(made)
    }
}
