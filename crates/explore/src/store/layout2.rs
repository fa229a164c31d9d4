//! Reads stores of layout 2. It had a table of bits beside the others, or none, and did not say in numbers what energies are spent
//! on.
//!
//! Temporary views stand before the tables under their names and add what is missing, so that a store of layout 2 is read, merged
//! and upgraded as one of today is.

use super::Store;

/// Columns of bits, by their names today and in the table of bits.
const BITS: [(&str, &str); 6] = [
    ("model_bits", "model_bits"),
    ("bit_operations", "bit_operations"),
    ("effective_bit_operations", "effective_bit_operations"),
    ("weight_bits_fetched", "weight_bits"),
    ("activation_bits_moved", "activation_bits"),
    ("outputs", "outputs"),
];

/// What the energies of hardware are spent on stood in a text, whose numbers are not read.
const HARDWARE: &str = "CREATE TEMP VIEW hardware_figures AS
    SELECT *, NULL AS compute_j, NULL AS conversion_j, NULL AS memory_j FROM main.hardware_figures;";

impl Store {
    /// Puts the views before the tables of this connection.
    pub(super) fn show_layout_2_as_today(&self) -> rusqlite::Result<()> {
        let has_bits = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'point_bits'";
        let has_bits: bool = self.connection.query_row(has_bits, [], |row| row.get(0))?;
        let column = |(today, then): (&str, &str)| match has_bits {
            true => format!("b.{then} AS {today}"),
            false => format!("NULL AS {today}"),
        };
        let columns = BITS.map(column).join(", ");
        let bits = if has_bits { "LEFT JOIN main.point_bits b ON b.key = f.key" } else { "" };
        let figures =
            format!("CREATE TEMP VIEW point_figures AS SELECT f.*, {columns} FROM main.point_figures f {bits};");
        self.connection.execute_batch(&(figures + HARDWARE))
    }
}
