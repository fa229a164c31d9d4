//! Plain tables: a header, right-aligned numbers, no lines between rows.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A table whose first `text_columns` columns are text and whose others are numbers.
pub(super) fn table(header: &[&str], text_columns: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if i == 0 { 0 } else { 1 }, 1));
        if i >= text_columns {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text, without the spaces that alignment leaves at the ends of lines, and with a line end.
pub(super) fn render(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
