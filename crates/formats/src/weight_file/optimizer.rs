//! The state of optimizers and schedulers. Training scripts save it beside the weights, or alone; it has the shapes of
//! weights and is no network.

use std::collections::{BTreeSet, HashSet};

use network::{Note, NoteKind};

use super::Content;
use crate::names::{few, tensors};
use crate::reading::fault::{Fault, unsupported};

/// Words in the names of dictionaries that hold the state of training.
const HOLDERS: [&str; 6] = ["optimizer", "optimizers", "optimiser", "optim", "scheduler", "schedulers"];

/// What optimizers of PyTorch call the tensors that they keep of each parameter.
const SLOTS: [&str; 10] = [
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "exp_avg_sq_row",
    "exp_avg_sq_col",
    "exp_inf",
    "momentum_buffer",
    "square_avg",
    "grad_avg",
    "acc_delta",
];

/// The dictionary of an optimizer that has a number for each parameter, and in it these tensors.
const STATE: &str = "state";

/// What names of parameters and statistics begin with in modules of PyTorch.
const PARAMETERS: [&str; 4] = ["weight", "bias", "running_", "num_batches_tracked"];

/// Leaves the state of optimizers out, with a note. A file that holds nothing else is refused.
pub(super) fn without_state(mut found: Content) -> Result<Content, Fault> {
    let before = found.tensors.len();
    let modules: HashSet<String> =
        found.tensors.iter().filter_map(|tensor| module_called_state(&tensor.name)).map(str::to_string).collect();
    let mut holders = BTreeSet::new();
    found.tensors.retain(|tensor| match holder(&tensor.name, &modules) {
        Some(holder) => {
            holders.insert(holder);
            false
        }
        None => true,
    });
    let count = before - found.tensors.len();
    let tensors = tensors(count);
    let holders = few(&holders.into_iter().collect::<Vec<_>>());
    if count > 0 && found.tensors.is_empty() {
        return Err(unsupported!(
            "it holds the state of an optimizer ({tensors} under {holders}) and no network; expected the weights \
             that were trained"
        ));
    }
    if count > 0 {
        let text = format!("left out is the state of an optimizer: {tensors} under {holders}");
        found.notes.push(Note::new(NoteKind::LeftOut, text));
    }
    Ok(found)
}

/// The module `state` of numbered modules that a parameter or a statistic lies in, which is no state of an optimizer:
/// `actor.state` of `actor.state.0.weight_ih_l0`.
fn module_called_state(name: &str) -> Option<&str> {
    let (path, last) = name.rsplit_once(['.', '/'])?;
    if !PARAMETERS.iter().any(|word| last.starts_with(word)) {
        return None;
    }
    let (module, number) = path.rsplit_once(['.', '/'])?;
    let is_state = module.rsplit(['.', '/']).next() == Some(STATE);
    (is_state && is_number(number)).then_some(module)
}

/// What a tensor of an optimizer stands under, as messages show it; `None` of any other tensor, and within `modules`.
///
/// `state.0.exp_avg` stands under `state`, `conv.weight.exp_avg` under `*.exp_avg`, and `opt.optimizer.x` under
/// `opt.optimizer`.
fn holder(name: &str, modules: &HashSet<String>) -> Option<String> {
    let parts: Vec<&str> = name.split(['.', '/']).collect();
    let last = parts.len() - 1;
    let up_to = |at: usize| name[..parts[..=at].iter().map(|part| part.len() + 1).sum::<usize>() - 1].to_string();
    if let Some(at) = parts[..last].iter().position(|part| holds_training(part)) {
        return Some(up_to(at));
    }
    if let [.., STATE, parameter, _] = parts.as_slice()
        && is_number(parameter)
        && !modules.contains(&up_to(last - 2))
    {
        return Some(up_to(last - 2));
    }
    let at = parts.iter().position(|part| SLOTS.contains(part))?;
    Some(if at == last && last > 0 { format!("*.{}", parts[at]) } else { up_to(at) })
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a dictionary of this name holds the state of training.
pub(super) fn holds_training(part: &str) -> bool {
    part.to_lowercase().split('_').any(|word| HOLDERS.contains(&word))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{holder, module_called_state};

    #[test]
    fn state_is_known_by_its_names() {
        let cases = [
            ("state.0.exp_avg", Some("state")),
            ("state.11.step", Some("state")),
            ("opt_g.state.3.max_exp_avg_sq", Some("opt_g.state")),
            ("optimizer_states.0.state.5.step", Some("optimizer_states")),
            ("d_optim.x", Some("d_optim")),
            ("net.lr_scheduler.x", Some("net.lr_scheduler")),
            ("optimizer/conv/m", Some("optimizer")),
            ("conv.weight.momentum_buffer", Some("*.momentum_buffer")),
            ("exp_avg.conv.weight", Some("exp_avg")),
            ("exp_avg", Some("exp_avg")),
            ("state.0.weight", None),
            ("state.conv.kernel", None),
            ("optimal.weight", None),
            ("optimizer", None),
            ("opt_flow.conv.weight", None),
            ("", None),
        ];
        let modules = HashSet::from(["state".to_string()]);
        testkit::check_all(cases, |(name, expected)| {
            let modules = if name.ends_with("weight") { &modules } else { &HashSet::new() };
            assert_eq!(holder(name, modules).as_deref(), *expected, "{name}");
        });
    }

    #[test]
    fn modules_may_be_called_state() {
        let cases = [
            ("actor.state.0.weight_ih_l0", Some("actor.state")),
            ("actor.state.1.running_mean", Some("actor.state")),
            ("state.0.bias", Some("state")),
            ("state.0.exp_avg", None),
            ("state.0.step", None),
            ("state.conv.weight", None),
            ("status.0.weight", None),
            ("0.weight", None),
        ];
        testkit::check_all(cases, |(name, expected)| assert_eq!(module_called_state(name), *expected, "{name}"));
    }
}
