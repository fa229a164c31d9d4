//! Hardware descriptions written as a user would write them.

use runner::Hardware;

/// An analog engine; an extent is a number of cells or `"unbounded"`, with its quotes.
pub fn analog_toml(name: &str, rows: &str, columns: &str, arrays: u64) -> String {
    format!(
        "name = {name:?}\nengine = \"analog\"\n[array]\nrows = {rows}\ncolumns = {columns}\narrays = {arrays}\n\
         [energy]\nmac_j_per_squared_half_step = 1.0e-15\n"
    )
}

/// A digital array; `granularity` is `weight` or `filter`.
pub fn digital_toml(name: &str, rows: u64, pes_per_row: u64, granularity: &str) -> String {
    format!(
        "name = {name:?}\nengine = \"digital\"\n[array]\nrows = {rows}\npes_per_row = {pes_per_row}\n\
         width_granularity = {granularity:?}\n[energy]\nmac_j_per_pe_cycle = 1.0e-15\n"
    )
}

/// Reads a description through a file.
pub fn hardware(toml: &str) -> Hardware {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), toml).expect("a temporary file is writable");
    Hardware::read(file.path()).unwrap_or_else(|error| panic!("{error}"))
}
