//! Values of a description that hardware hardly has: a unit that was left out, or a percentage for a fraction.

use network::{Note, NoteKind};
use toml::Value;

use super::Hardware;

/// No event of a MAC engine takes more joules than this: a bit from DRAM takes some 2e-11.
const MOST_JOULES: f64 = 1e-7;
/// Clocks of MAC engines lie between these, in hertz.
const CLOCKS: std::ops::RangeInclusive<f64> = 1e4..=1e11;
/// A standard deviation above this, relative to a weight, leaves nothing of the weight.
const MOST_NOISE: f64 = 1.0;

/// Energies and clocks lie between these, or are 0: products of counts and sums of them are then numbers, too.
const COUNTABLE: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

impl Hardware {
    /// The first energy or clock that no result can be counted in.
    pub(super) fn uncountable(&self) -> Option<String> {
        let resolved = Value::try_from(&self.resolved).expect("descriptions have a TOML form");
        let mut found = None;
        each_number("", &resolved, &mut |place, key, number| {
            if (is_energy(key) || key == "clock_hz") && number != 0.0 && !COUNTABLE.contains(&number) && found.is_none()
            {
                let [least, most] = [COUNTABLE.start(), COUNTABLE.end()];
                found = Some(format!("{place} is {number:e}; expected a number from {least:e} to {most:e}"));
            }
        });
        found
    }

    /// Values that are valid and hardly meant, a note each.
    pub fn doubts(&self) -> Vec<Note> {
        let mut doubts = Vec::new();
        let resolved = Value::try_from(&self.resolved).expect("descriptions have a TOML form");
        each_number("", &resolved, &mut |place, key, number| doubts.extend(self.doubt(place, key, number)));
        let name = self.engine.name();
        doubts.into_iter().map(|doubt| Note::new(NoteKind::Assumed, format!("hardware {name}: {doubt}"))).collect()
    }

    fn doubt(&self, place: &str, key: &str, number: f64) -> Option<String> {
        if is_energy(key) && !self.normalized && number > MOST_JOULES {
            return Some(format!("{place} is {number:e} J, far more than hardware takes; energies are in joules"));
        }
        if key == "clock_hz" && !CLOCKS.contains(&number) {
            return Some(format!("{place} is {number:e}, no usual clock; it is in hertz"));
        }
        let is_noise = key.ends_with("_sigma") && number > MOST_NOISE;
        is_noise.then(|| format!("{place} is {number}, that is {} %; it is a fraction", 100.0 * number))
    }
}

fn is_energy(key: &str) -> bool {
    key.ends_with("_j") || key.contains("_j_per_")
}

/// Calls `look(place, key, number)` for every real number of a table and of those in it.
fn each_number(place: &str, value: &Value, look: &mut impl FnMut(&str, &str, f64)) {
    let Value::Table(table) = value else { return };
    for (key, value) in table {
        let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        if let Some(number) = value.as_float() {
            look(&place, key, number);
        }
        each_number(&place, value, look);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn doubts(text: &str) -> Vec<String> {
        let hardware = Hardware::parse(Path::new("h.toml"), text).expect("valid");
        hardware.doubts().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hardware_that_comes_along_is_plausible() {
        for hardware in Hardware::all() {
            assert_eq!(hardware.doubts(), [], "{}", hardware.engine.name());
        }
    }

    #[test]
    fn what_no_result_can_be_counted_in_is_refused() {
        let preset = Hardware::description("gpu-8bit").expect("it comes along");
        for (key, number) in [
            ("mac_j_per_pe_cycle", "1e304"),
            ("mac_j_per_pe_cycle", "1e-320"),
            ("clock_hz", "1e101"),
            ("clock_hz", "1e-101"),
        ] {
            let text = preset.replace(&format!("{key} = "), &format!("{key} = {number} #"));
            let error = Hardware::parse(Path::new("h.toml"), &text).err().expect("refused").to_string();
            let expected = format!("{key} is {number}; expected a number from 1e-100 to 1e100");
            assert!(error.ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn a_unit_that_was_left_out_is_doubted() {
        let preset = Hardware::description("in-memory-class-b").expect("it comes along");
        let noisy = format!("{preset}\n[noise]\nread_sigma = 2.0\n");
        let expected = "hardware in-memory-class-b: noise.read_sigma is 2, that is 200 %; it is a fraction";
        assert_eq!(doubts(&noisy), [expected]);
        let slow = preset.replace("clock_hz = ", "clock_hz = 100.0 #");
        assert_eq!(doubts(&slow), ["hardware in-memory-class-b: clock_hz is 1e2, no usual clock; it is in hertz"]);
        let costly = Hardware::description("gpu-8bit").expect("it comes along");
        let costly = costly.replace("mac_j_per_pe_cycle = ", "mac_j_per_pe_cycle = 1.0 #");
        let expected = "hardware gpu-8bit: energy.mac_j_per_pe_cycle is 1e0 J, far more than hardware takes; \
                        energies are in joules";
        assert_eq!(doubts(&costly), [expected]);
        let normalized = Hardware::description("ideal-digital").expect("it comes along");
        assert_eq!(doubts(&normalized.replace("mac_j_per_pe_cycle = ", "mac_j_per_pe_cycle = 1.0 #")), [""; 0]);
    }
}
