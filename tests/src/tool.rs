//! Programs that some suites drive and that a machine may lack.

use std::process::Command;

/// The first line of what a program says of its version. `None`, and says that the test is skipped, where it is not
/// installed.
pub fn tool_or_skip(name: &str, version_flag: &str) -> Option<String> {
    let Ok(output) = Command::new(name).arg(version_flag).output() else {
        eprintln!("skipped: {name} is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().find(|line| line.chars().any(char::is_alphanumeric)).unwrap_or(name).to_string())
}
