//! The table of bits, which came later than the others: rows in and out of it.

use runner::BitCounts;
use rusqlite::types::Value;

use super::columns::{BITS, Columns, Wrong, number};
use super::row::{HardwareRow, PointCosts, Spent};
use super::{Layout, Store};
use crate::key::PointKey;

/// Columns of bits beside the key.
pub(super) const BIT_COLUMNS: usize = 7;

impl Store {
    /// Makes the table of bits in a store of this layout that has none.
    pub(super) fn create_bits(&self) -> rusqlite::Result<()> {
        if self.pragma("user_version")? != Layout::NOW || self.has_bits()? {
            return Ok(());
        }
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.connection.execute_batch(include_str!("bits.sql"))?;
        self.connection.execute_batch("COMMIT")
    }

    /// Whether the store has the table of bits.
    pub(super) fn has_bits(&self) -> rusqlite::Result<bool> {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'point_bits'";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))? > 0)
    }

    /// Writes the bits of a point, where they are known.
    pub(super) fn insert_bits(&self, key: PointKey, costs: &PointCosts) -> rusqlite::Result<()> {
        let Some(bits) = &costs.bits else { return Ok(()) };
        let mut values = vec![Value::Blob(key.0.to_vec())];
        let counts = [
            bits.model_bits,
            bits.bit_operations,
            bits.effective_bit_operations,
            bits.weight_bits,
            bits.activation_bits,
            bits.outputs,
        ];
        values.extend(counts.map(number));
        values.push(list_of_spent(&costs.hardware).into());
        self.insert_values("point_bits", BITS, &values)?;
        Ok(())
    }
}

/// Gives costs, whose hardware is read already, the bits that stand from the column `first` on.
pub(super) fn read_bits(columns: &Columns<'_>, first: usize, costs: &mut PointCosts) -> Result<(), Wrong> {
    let Some(model_bits) = columns.number_if_there(first)? else { return Ok(()) };
    let number = |place: usize| columns.number(first + place);
    costs.bits = Some(BitCounts {
        model_bits,
        bit_operations: number(1)?,
        effective_bit_operations: number(2)?,
        weight_bits: number(3)?,
        activation_bits: number(4)?,
        outputs: number(5)?,
    });
    let spent = listed_spent(&columns.get::<String>(first + 6)?)?;
    for (row, spent) in costs.hardware.iter_mut().zip(spent) {
        row.spent = Some(spent);
    }
    Ok(())
}

/// A JSON list of three numbers for each hardware, every digit of them; an empty one where hardware does not say.
fn list_of_spent(hardware: &[HardwareRow]) -> String {
    let all: Option<Vec<Spent>> = hardware.iter().map(|row| row.spent).collect();
    let numbers = all.into_iter().flatten().flat_map(|spent| [spent.compute_j, spent.conversion_j, spent.memory_j]);
    format!("[{}]", numbers.map(|joules| format!("{joules:?}")).collect::<Vec<_>>().join(","))
}

/// The numbers of [`list_of_spent`]. The JSON library would not read back every digit.
fn listed_spent(text: &str) -> Result<Vec<Spent>, Wrong> {
    let wrong = || format!("column spent is {text:?}; expected a list of numbers, three for each hardware");
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).ok_or_else(wrong)?;
    let numbers = inner.split(',').filter(|number| !number.is_empty());
    let numbers: Vec<f64> =
        numbers.map(|number| number.trim().parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    let (threes, []) = numbers.as_chunks::<3>() else { return Err(wrong()) };
    let spent = |&[compute_j, conversion_j, memory_j]: &[f64; 3]| Spent { compute_j, conversion_j, memory_j };
    Ok(threes.iter().map(spent).collect())
}

/// Costs as a store without a table of bits has them.
pub(super) fn without_bits(costs: &PointCosts) -> PointCosts {
    let hardware = costs.hardware.iter().map(|row| HardwareRow { spent: None, ..row.clone() }).collect();
    PointCosts { bits: None, hardware, ..costs.clone() }
}
