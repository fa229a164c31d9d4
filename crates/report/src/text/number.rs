//! Numbers and names as people like to read them.

use std::collections::HashSet;

use esn::Quarters;
pub use network::grouped;

/// A count of things by their singular: `1 image`, `500 images`, `2 classes`.
pub fn counted(n: u128, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        _ if what.ends_with('s') => format!("{} {what}es", grouped(n)),
        _ => format!("{} {what}s", grouped(n)),
    }
}

/// A multiple of 0.25 with thousands separators: `588,618.25`.
pub fn grouped_quarters(quarters: Quarters) -> String {
    let text = quarters.to_string();
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    grouped(whole.parse().expect("its digits were a number")) + fraction
}

/// A number with a decimal prefix and three or four significant digits: `62.05M`.
pub fn short(x: f64) -> String {
    const PREFIXES: [(f64, &str); 5] = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match PREFIXES.iter().find(|(size, _)| x >= *size) {
        Some((size, prefix)) => format!("{:.2}{prefix}", x / size),
        None if x == x.trunc() => format!("{x:.0}"),
        None => format!("{x:.2}"),
    }
}

/// A factor with three significant digits: `0.000532`, `1.00`, `12.3`, `1,234`.
pub fn factor(x: f64) -> String {
    if !x.is_finite() {
        return x.to_string();
    }
    if x.round() >= 1000.0 {
        return grouped(x.round() as u128);
    }
    let before_point = if x > 0.0 { x.log10().floor() as i32 + 1 } else { 1 };
    format!("{x:.*}", (3 - before_point).max(0) as usize)
}

/// An energy: `78.34 nJ`.
pub fn joules(x: f64) -> String {
    with_unit(x, "J")
}

/// A time: `1.20 ms`.
pub fn seconds(x: f64) -> String {
    with_unit(x, "s")
}

/// A small quantity with a prefix at its unit.
pub fn with_unit(x: f64, unit: &str) -> String {
    const PREFIXES: [(f64, &str); 8] =
        [(1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"), (1e-18, "a"), (1e-21, "z")];
    match PREFIXES.iter().find(|(size, _)| x >= size * 0.9995) {
        Some((size, prefix)) => format!("{:.2} {prefix}{unit}", x / size),
        None if x == 0.0 => format!("0 {unit}"),
        None => format!("{x:.2e} {unit}"),
    }
}

/// An accuracy or ratio with four decimals; a dash where there is none.
pub fn fraction(x: Option<f64>) -> String {
    x.map_or("–".to_string(), |x| format!("{x:.4}"))
}

/// A name cut from the left to `width` characters: the end of a layer's name tells layers apart.
pub fn tail(name: &str, width: usize) -> String {
    let printable = one_line(name);
    let len = printable.chars().count();
    if len <= width {
        return printable;
    }
    std::iter::once('…').chain(printable.chars().skip(len + 1 - width)).collect()
}

/// The width, `least` or more, to which [`tail`] cuts different names to different texts.
pub fn telling_width<'a>(names: impl Iterator<Item = &'a str>, least: usize) -> usize {
    let names: HashSet<String> = names.map(one_line).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let tells = |width: &usize| {
        let cut: HashSet<String> = names.iter().map(|name| tail(name, *width)).collect();
        cut.len() == names.len()
    };
    (least..longest).step_by(8).find(tells).unwrap_or(longest.max(least))
}

/// Text with control characters made visible, so that nothing in a file can disturb the terminal.
pub fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if is_disturbing(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Control characters, and those that turn or hide the text around them.
fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(40_551_040), "40,551,040");
        assert_eq!((grouped(0), grouped(999), grouped(1000)), ("0".into(), "999".into(), "1,000".into()));
        assert_eq!((counted(1, "image"), counted(500, "image")), ("1 image".into(), "500 images".into()));
        assert_eq!((counted(2, "class"), counted(0, "point")), ("2 classes".into(), "0 points".into()));
        assert_eq!(grouped_quarters(Quarters(2_354_473)), "588,618.25");
        assert_eq!((short(62_046_401.0), short(12.0), short(0.5)), ("62.05M".into(), "12".into(), "0.50".into()));
        let factors = [0.000_532_4, 0.1, 1.0, 12.34, 250.0, 1234.0, 0.0].map(factor);
        assert_eq!(factors, ["0.000532", "0.100", "1.00", "12.3", "250", "1,234", "0.00"]);
        assert_eq!((joules(78.34e-9), joules(0.0), joules(1e-15)), ("78.34 nJ".into(), "0 J".into(), "1.00 fJ".into()));
    }

    #[test]
    fn names_keep_their_end_and_lose_their_control_characters() {
        assert_eq!(tail("/layer3/layer3.2/conv2/Conv", 12), "…conv2/Conv".to_string().replace("…", "…/"));
        assert_eq!(tail("a\nb\u{1b}[2J", 20), "a\\nb\\u{1b}[2J");
        assert_eq!(one_line("a\u{202e}b"), "a\\u{202e}b");
        let (a, b) = ("/encoder/layers.0/conv2/Conv", "/decoder/layers.0/conv2/Conv");
        assert_eq!((telling_width([a].into_iter(), 12), telling_width([a, "/fc"].into_iter(), 12)), (12, 12));
        let width = telling_width([a, b].into_iter(), 12);
        assert!(width > 12 && tail(a, width) != tail(b, width), "{width}");
        assert_eq!(telling_width([a, a].into_iter(), 12), 12, "equal names stay equal");
    }
}
