//! Which number ranks networks as a hardware does: networks of a store, or files, and the hardware that is meant.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use explore::pareto::{Cost, Fraction, LinearCost};
use explore::proxies::{Fit, MOST_TERMS, NoFit, Subject, Subjects, fit};
use explore::store::{PointCosts, Points};
use formats::did_you_mean;
use network::Network;
use runner::{BitCounts, Hardware, details};

use crate::error::Error;
use crate::open::{hardware, landscape_hardware};
use crate::progress::Progress;
use crate::simulation::{SimulateOptions, Simulation};

/// The points of a store that can be compared, of these networks alone where some are named.
///
/// # Errors
///
/// Those of reading the store; [`Error::NoPoints`] for a network that the store does not have, and where fewer than two points
/// are there.
pub fn subjects(points: &Points<'_>, networks: &[String]) -> Result<Subjects, Error> {
    let subjects = Subjects::of_points(points, networks)?;
    let store = points.store.path();
    if let Some(name) = networks.iter().find(|name| !subjects.networks().iter().any(|known| **known == ***name)) {
        let known = Subjects::of_points(points, &[])?.networks();
        return Err(has_none(store, &format!("is of network {name}"), "networks", &known, name));
    }
    check_subjects(store, &subjects)?;
    Ok(subjects)
}

/// Refuses networks of which no two can be compared. `path` names where they come from.
///
/// # Errors
///
/// [`Error::NoPoints`].
pub fn check_subjects(path: &Path, subjects: &Subjects) -> Result<(), Error> {
    let Subjects { all, failed, .. } = subjects;
    if all.len() >= 2 {
        return Ok(());
    }
    let costed = all.len();
    let reason = format!(
        "ranks need two networks at least; {costed} with costs, {failed} that failed; add networks, or several widths"
    );
    Err(Error::NoPoints { path: path.to_path_buf(), reason, mend: None })
}

/// The hardware that is meant, of that which networks were costed on; all of it without any name. A name is that of hardware, or
/// of a description, by its file or as one that comes along, whose name is meant.
///
/// # Errors
///
/// [`Error::NoPoints`] for hardware that no network was costed on. `path` names where networks come from.
pub fn compared_hardware(path: &Path, subjects: &Subjects, names: &[PathBuf]) -> Result<Vec<Arc<str>>, Error> {
    let known = subjects.hardware();
    if names.is_empty() {
        return Ok(known);
    }
    let find = |name: &str| known.iter().find(|known| ***known == *name).cloned();
    let mut found = Vec::new();
    for given in names {
        let word = given.to_string_lossy();
        let described = || match hardware(std::slice::from_ref(given)) {
            Ok(opened) => opened.iter().map(|hardware| find(hardware.engine.name())).collect(),
            Err(_) => None,
        };
        let meant: Option<Vec<Arc<str>>> = find(&word).map(|one| vec![one]).or_else(described);
        found.extend(meant.ok_or_else(|| has_none(path, &format!("was costed on {word}"), "hardware", &known, &word))?);
    }
    Ok(found)
}

fn has_none(path: &Path, what: &str, kind: &str, known: &[Arc<str>], meant: &str) -> Error {
    let list = known.iter().map(|name| &**name).collect::<Vec<&str>>();
    let (verb, guess) = (if kind == "hardware" { "is" } else { "are" }, did_you_mean(meant, list.iter().copied()));
    let reason = format!("no point {what}; the {kind} {verb} {}{guess}", list.join(", "));
    Error::NoPoints { path: path.to_path_buf(), reason, mend: None }
}

/// The one hardware that a sum is fitted to, by the name that is given.
///
/// # Errors
///
/// As [`compared_hardware`]; [`Error::NoPoints`] for a name of several.
pub fn fitted_hardware(path: &Path, subjects: &Subjects, name: &Path) -> Result<Arc<str>, Error> {
    let found = compared_hardware(path, subjects, &[name.to_path_buf()])?;
    match found.as_slice() {
        [one] => Ok(Arc::clone(one)),
        several => {
            let names = several.iter().map(|name| &**name).collect::<Vec<&str>>().join(", ");
            let reason = format!("a fit takes one hardware; {} is {names}", name.display());
            Err(Error::NoPoints { path: path.to_path_buf(), reason, mend: None })
        }
    }
}

/// The hardware that network files are costed on, and the names of that which they are compared on: that of the list, or without
/// one the ideal engines and every preset. Hardware that a sum is fitted to is costed as well.
///
/// # Errors
///
/// As [`hardware()`](crate::hardware).
pub fn proxy_hardware(listed: &[PathBuf], fit: Option<&Path>) -> Result<(Vec<Hardware>, Vec<Arc<str>>), Error> {
    let mut all = landscape_hardware(listed)?;
    let compared = all.iter().map(|hardware| hardware.engine.name().into()).collect();
    let is_there = |all: &[Hardware], name: &str| all.iter().any(|hardware| hardware.engine.name() == name);
    if let Some(fit) = fit.filter(|fit| !is_there(&all, &fit.to_string_lossy())) {
        let more = hardware(&[fit.to_path_buf()])?;
        let missing: Vec<Hardware> =
            more.into_iter().filter(|hardware| !is_there(&all, hardware.engine.name())).collect();
        all.extend(missing);
    }
    Ok((all, compared))
}

/// Costs one network on hardware, and runs the images of the options on an ideal array, which computes what every array of
/// integers does. `file` is what it was made of, and `name` tells it from others that were, too.
///
/// # Errors
///
/// Those of [`Simulation::start`] and [`Simulation::evaluate`].
pub fn subject(
    network: &Network,
    [file, name]: [&str; 2],
    hardware: &[Hardware],
    options: SimulateOptions<'_>,
    progress: &dyn Progress,
) -> Result<Subject, Error> {
    let images = options.images.filter(|_| hardware.iter().any(Hardware::needs_images));
    let costed = Simulation::start(network, hardware, SimulateOptions { images, ..options }, progress)?;
    let cost = costed.cost();
    let details = details(network, options.quantization, options.convention)?;
    let bits = BitCounts::new(network, cost, &details, options.activation_bits());
    let ideal: Vec<Hardware> = Hardware::ideal().into_iter().filter(Hardware::is_exact).take(1).collect();
    let mut run = Simulation::start(network, &ideal, options, progress)?;
    let score = run.evaluate()?.and_then(|evaluation| evaluation.engines.first()).map(|engine| engine.score.clone());
    let accuracy = score.filter(|score| score.labelled > 0);
    Ok(Subject {
        name: name.into(),
        network: file.into(),
        costs: PointCosts::new(hardware, cost, &details, bits),
        accuracy: accuracy.map(|score| Fraction { count: score.top1, of: score.labelled }),
    })
}

/// Fits a weighted sum of costs to the energy of a hardware.
///
/// # Errors
///
/// [`Error::NoPoints`] where there are too few networks, or terms that no sum is made of. `path` names where networks come from.
pub fn fitted(path: &Path, subjects: &Subjects, hardware: &Arc<str>, terms: &[Cost]) -> Result<Fit, Error> {
    let refuse = |reason: String| Error::NoPoints { path: path.to_path_buf(), reason, mend: None };
    let fault = match terms.len() <= MOST_TERMS {
        true => LinearCost::check_costs(&terms.iter().collect::<Vec<_>>()).err(),
        false => Some(format!("found {}", terms.len())),
    };
    if let Some(fault) = fault {
        let expected = format!("a fit takes 1 to {MOST_TERMS} different costs without hardware as its terms");
        return Err(refuse(format!("{expected}; {fault}")));
    }
    fit(subjects, hardware, terms).map_err(|none| {
        refuse(match none {
            NoFit::FewNetworks(count) => format!(
                "{count} networks have an energy on {hardware} and all of {} terms; a fit needs {} at least",
                terms.len(),
                2 * terms.len() + 1
            ),
            NoFit::NoTerm => {
                format!("no weights are found for {hardware}: its terms are 0, or the networks are too much alike")
            }
        })
    })
}
