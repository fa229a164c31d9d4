//! A page: one HTML file that needs nothing else.

use std::io::{self, Write};

use serde::Serialize;

const STYLE: &str = include_str!("page_files/page.css");
const COMMON: &str = include_str!("page_files/common.js");

/// Nothing but what is in the file may be loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// Writes a page that shows `data` by `script`.
pub(super) fn write_page(writer: &mut dyn Write, title: &str, data: &impl Serialize, script: &str) -> io::Result<()> {
    writeln!(writer, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(writer, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(writer, "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">")?;
    writeln!(writer, "<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>", escape(title))?;
    writeln!(writer, "<main id=\"page\"></main>\n<noscript>This page draws its figures by script.</noscript>")?;
    writeln!(writer, "<script type=\"application/json\" id=\"data\">{}</script>", script_safe(data)?)?;
    writeln!(writer, "<script>\n{COMMON}</script>\n<script>\n{script}</script>\n</body>\n</html>")
}

/// A count with thousands separators.
pub(super) fn grouped(n: u128) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| str::from_utf8(g).expect("digits")).collect();
    groups.join(",")
}

/// Text as HTML.
fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;")
}

/// JSON that cannot end the script element that it stands in: `<` only occurs in strings, where it has another form.
fn script_safe(data: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(data)?.replace('<', "\\u003c"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        assert_eq!([0, 999, 1000, 40_551_040].map(grouped), ["0", "999", "1,000", "40,551,040"]);
    }

    #[test]
    fn nothing_out_of_a_file_becomes_html() {
        let hostile = "</script><script>alert(1)</script><!--";
        let mut page = Vec::new();
        write_page(&mut page, hostile, &[hostile], "").expect("memory takes it");
        let page = String::from_utf8(page).expect("text");
        assert!(!page.contains("alert(1)</script>") && !page.contains("<!--"), "{page}");
        let start = page.find("id=\"data\">").expect("there is data") + 10;
        let json = &page[start..page[start..].find("</script>").expect("it ends") + start];
        assert_eq!(serde_json::from_str::<[String; 1]>(json).expect("JSON"), [hostile]);
    }
}
