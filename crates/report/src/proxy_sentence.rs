//! What to choose by on a hardware, and whether a fitted sum is of use, in a sentence each.

use explore::proxies::{Agreement, Fit, OfHardware, Target};

use crate::proxies::proxy_name;

/// A proxy that is this much further from 1 than the best misleads.
const MISLEADS: f64 = 0.1;

/// Proxies that are named as ranking as well as the best.
const NAMED: usize = 3;

/// A proxy whose rank correlation is below this one ranks poorly.
const POOR: f64 = 0.5;

/// A part of the energy that explains why a proxy misleads.
const EXPLAINS: f64 = 0.3;

/// A choice whose regret is this much larger than the least is no good choice, however well its number ranks.
const REGRETS: f64 = 0.05;

/// A sum that is this far off in the mean tells no energy.
const FAR_OFF: f64 = 0.5;

/// What to choose by on a hardware, what chooses better among networks of one accuracy, and what misleads; none where no proxy
/// ranks anything.
///
/// What is said of other numbers than the best rests on intervals. Without them nothing is said that intervals could take back.
///
/// `on in-memory-class-b choose by ESN'_d (τ 0.93); ESN_a misleads (τ 0.61), for converters are 96 % of the energy`
pub fn proxy_sentence(hardware: &OfHardware) -> Option<String> {
    let best = hardware.best(Target::Energy)?;
    let most = best.tau?;
    let (name, best_name) = (&hardware.name, proxy_name(&best.proxy));
    let better = better_choice(hardware, best).unwrap_or_default();
    if most < POOR {
        let spent = spent_on(hardware).map(|words| format!(": {words}")).unwrap_or_default();
        return Some(format!("on {name} no number ranks well; the best is {best_name} (τ {most:.2}){spent}{better}"));
    }
    let apart = without_memory(hardware, best);
    let misleads = misleading(hardware, best).map(|misled| {
        let reason = spent_on(hardware).filter(|_| apart.is_none() && is_reason(hardware, misled));
        format!("{}{}", misled_by(hardware, misled), reason.map(|words| format!(", for {words}")).unwrap_or_default())
    });
    let (equal, apart) = (equally_good(hardware, best), apart.as_deref().unwrap_or_default());
    Some(format!("on {name} choose by {best_name} (τ {most:.2}){equal}{apart}{better}{}", misleads.unwrap_or_default()))
}

/// The numbers that rank as well as the best: those of the same τ, and those whose interval reaches it.
fn equally_good(hardware: &OfHardware, best: &Agreement) -> String {
    let is_as_good = |other: &&Agreement| {
        let reaches = other.interval.is_some_and(|interval| Some(interval.high) >= best.tau);
        other.proxy != best.proxy && (other.tau == best.tau || reaches)
    };
    let equal: Vec<String> = hardware.energy.iter().filter(is_as_good).map(|other| proxy_name(&other.proxy)).collect();
    match equal.as_slice() {
        [] => String::new(),
        [one] => format!(", or {one}, which {} as well", verb(one, "ranks", "rank")),
        some => {
            let more = if some.len() > NAMED { format!(" and {} more", some.len() - NAMED) } else { String::new() };
            format!(", or {}{more}, which rank as well", some[..some.len().min(NAMED)].join(", "))
        }
    }
}

/// ESN is one number; parameters, MACs and the like are many things.
fn verb(name: &str, of_one: &'static str, of_many: &'static str) -> &'static str {
    if name.starts_with("ESN") { of_one } else { of_many }
}

/// What to choose by if memory did not count, where it does count and another number is then the best.
fn without_memory(hardware: &OfHardware, best: &Agreement) -> Option<String> {
    let [_, memory] = hardware.spent.filter(|[_, memory]| *memory >= EXPLAINS)?;
    let other = hardware.best(Target::Array).filter(|other| other.proxy != best.proxy)?;
    let (name, share) = (proxy_name(&other.proxy), 100.0 * memory);
    Some(format!("; without memory, which is {share:.0} % of the energy, by {name} (τ {:.2})", other.tau?))
}

/// The number of the least regret, where the one that ranks best is much further from it.
fn better_choice(hardware: &OfHardware, best: &Agreement) -> Option<String> {
    let mean = |agreement: &Agreement| agreement.regret.map(|regret| regret.mean);
    let known = hardware.energy.iter().filter(|agreement| agreement.regret.is_some());
    let least = known.min_by(|a, b| mean(a).unwrap_or_default().total_cmp(&mean(b).unwrap_or_default()))?;
    let (own, other) = (mean(best)?, mean(least)?);
    let name = proxy_name(&least.proxy);
    (own > other + REGRETS).then(|| {
        format!(
            "; among networks of one accuracy {name} {} better: regret {:.0} % in the mean, not {:.0} %",
            verb(&name, "chooses", "choose"),
            100.0 * other,
            100.0 * own
        )
    })
}

/// The metric that the hardware is an engine of, if it misleads; else the worst of all numbers that do. A number misleads whose
/// interval does not reach the best, which is much further from 1, and which does not choose as well either.
fn misleading<'a>(hardware: &'a OfHardware, best: &Agreement) -> Option<&'a Agreement> {
    let most = best.tau?;
    let regret = |agreement: &Agreement| agreement.regret.map(|regret| regret.mean);
    let misleads = |agreement: &&Agreement| {
        let is_lower = agreement.interval.is_some_and(|interval| interval.high < most);
        let chooses_well = regret(agreement).is_some() && regret(agreement) <= regret(best);
        is_lower && !chooses_well && agreement.tau.is_some_and(|tau| tau < most - MISLEADS)
    };
    let own = hardware.energy.iter().find(|agreement| is_own(hardware, agreement)).filter(misleads);
    let worst = || {
        let all = hardware.energy.iter().filter(misleads);
        all.min_by(|a, b| a.tau.unwrap_or_default().total_cmp(&b.tau.unwrap_or_default()))
    };
    own.or_else(worst)
}

fn is_own(hardware: &OfHardware, agreement: &Agreement) -> bool {
    proxy_name(&agreement.proxy) == *hardware.metric
}

fn misled_by(hardware: &OfHardware, misled: &Agreement) -> String {
    let (name, tau) = (proxy_name(&misled.proxy), misled.tau.unwrap_or_default());
    let own = if is_own(hardware, misled) { ", its own metric," } else { "" };
    format!("; {name}{own} {} (τ {tau:.2})", verb(&name, "misleads", "mislead"))
}

/// Whether what the energy goes to can be why a number misleads: converters, or memory without which the number ranks much better.
fn is_reason(hardware: &OfHardware, misled: &Agreement) -> bool {
    let alone =
        hardware.array.iter().find(|agreement| agreement.proxy == misled.proxy).and_then(|agreement| agreement.tau);
    let is_better = alone.zip(misled.tau).is_some_and(|(alone, tau)| alone > tau + MISLEADS);
    hardware.spent.is_some_and(|[conversion, memory]| conversion > memory) || is_better
}

/// What much of the energy goes to that is not computing; none where little does.
fn spent_on(hardware: &OfHardware) -> Option<String> {
    let [conversion, memory] = hardware.spent?;
    let (words, share) = if conversion > memory { ("converters are", conversion) } else { ("memory is", memory) };
    (share >= EXPLAINS).then(|| format!("{words} {:.0} % of the energy", 100.0 * share))
}

/// Why a fitted sum is of little use; none where it is of use. Errors are those on networks that it has not seen.
///
/// `the sum ranks worse (τ 0.31) than parameters do (τ 0.60), and is 80 % off in the mean`
pub fn fit_warning(fit: &Fit) -> Option<String> {
    let ranks_worse = fit.best_proxy.as_ref().zip(fit.unseen.tau).filter(|((_, best), tau)| *tau < best - MISLEADS);
    let ranks_worse = ranks_worse.map(|((proxy, best), tau)| {
        let name = proxy_name(proxy);
        format!("ranks worse (τ {tau:.2}) than {name} {} (τ {best:.2})", verb(&name, "does", "do"))
    });
    let is_off = (fit.unseen.mean >= FAR_OFF).then(|| format!("is {:.0} % off in the mean", 100.0 * fit.unseen.mean));
    let faults: Vec<String> = ranks_worse.into_iter().chain(is_off).collect();
    (!faults.is_empty())
        .then(|| format!("of little use: on networks that it has not seen, the sum {}", faults.join(", and ")))
}

#[cfg(test)]
mod tests {
    use explore::pareto::{Cost, LinearCost};
    use explore::proxies::{FitError, Interval, PROXIES, Parts, Regret};
    use testkit::check_all;

    use super::*;

    /// A number, its τ and its regret.
    type Of = (Cost, f64, f64);

    /// A hardware of ESN_d; numbers that are not named have neither.
    fn hardware(of: &[Of], has_intervals: bool) -> OfHardware {
        let agreement = |proxy: &Cost| {
            let found = of.iter().find(|(known, ..)| known == proxy);
            let tau = found.map(|(_, tau, _)| *tau);
            Agreement {
                proxy: proxy.clone(),
                networks: 40,
                tau,
                interval: tau.filter(|_| has_intervals).map(|tau| Interval { low: tau - 0.05, high: tau + 0.05 }),
                regret: found.map(|(_, _, mean)| Regret { networks: 40, mean: *mean, worst: *mean }),
            }
        };
        let energy: Vec<Agreement> = PROXIES.iter().map(agreement).collect();
        OfHardware {
            name: "array".into(),
            metric: "ESN_d".into(),
            spent: None,
            same: Vec::new(),
            array: energy.clone(),
            latency: energy.clone(),
            energy,
        }
    }

    #[test]
    fn a_sentence_says_what_chooses_better_and_what_misleads() {
        let cases: [(&[Of], &str); 6] = [
            (
                &[(Cost::Macs, 0.9, 0.1), (Cost::Parameters, 0.86, 0.12), (Cost::EsnA, 0.5, 0.3)],
                "on array choose by MACs (τ 0.90), or parameters, which rank as well; ESN_a misleads (τ 0.50)",
            ),
            (
                &[(Cost::Macs, 0.9, 0.1), (Cost::EsnD, 0.6, 0.2), (Cost::EsnA, 0.5, 0.3)],
                "on array choose by MACs (τ 0.90); ESN_d, its own metric, misleads (τ 0.60)",
            ),
            (
                // Who chooses as well does not mislead.
                &[(Cost::Macs, 0.9, 0.1), (Cost::EsnD, 0.6, 0.1)],
                "on array choose by MACs (τ 0.90)",
            ),
            (
                &[(Cost::EsnD, 0.9, 0.18), (Cost::ModelBits, 0.7, 0.01), (Cost::Macs, 0.3, 0.9)],
                "on array choose by ESN_d (τ 0.90); among networks of one accuracy model bytes choose better: regret 1 % in \
                 the mean, not 18 %; MACs mislead (τ 0.30)",
            ),
            (&[(Cost::EsnD, 0.4, 0.0)], "on array no number ranks well; the best is ESN_d (τ 0.40)"),
            (&[], ""),
        ];
        check_all(cases, |(of, expected)| {
            assert_eq!(proxy_sentence(&hardware(of, true)).unwrap_or_default(), *expected);
        });
    }

    #[test]
    fn without_intervals_no_sentence_says_what_they_could_take_back() {
        let of =
            [(Cost::Macs, 0.9, 0.1), (Cost::Parameters, 0.9, 0.1), (Cost::EsnD, 0.86, 0.2), (Cost::EsnA, 0.3, 0.3)];
        let [with, without] = [true, false].map(|has| proxy_sentence(&hardware(&of, has)).expect("MACs rank"));
        assert_eq!(without, "on array choose by parameters (τ 0.90), or MACs, which rank as well");
        let more =
            "on array choose by parameters (τ 0.90), or MACs, ESN_d, which rank as well; ESN_a misleads (τ 0.30)";
        assert_eq!(with, more);
    }

    #[test]
    fn a_sum_that_is_of_little_use_is_told() {
        let warning = |tau: f64, mean: f64| {
            let error = FitError { mean, worst: mean, tau: Some(tau) };
            fit_warning(&Fit {
                hardware: "array".into(),
                cost: LinearCost::new(vec![(Cost::EsnD, 1.0)]).expect("one term"),
                networks: 40,
                seen: error,
                unseen: error,
                parts: Parts::Points(5),
                best_proxy: Some((Cost::Macs, 0.8)),
            })
        };
        assert_eq!(warning(0.75, 0.1), None);
        let text = warning(0.31, 0.8).expect("both are bad");
        assert!(
            text.ends_with("the sum ranks worse (τ 0.31) than MACs do (τ 0.80), and is 80 % off in the mean"),
            "{text}"
        );
        assert!(warning(0.9, 0.8).is_some_and(|text| text.ends_with("the sum is 80 % off in the mean")));
    }
}
