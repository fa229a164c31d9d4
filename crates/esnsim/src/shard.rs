//! The share of a sweep that a task of an array job of SLURM works on.

use explore::sweep::Shard;

use crate::error::Error;

/// The share of this task: its place among the tasks of its array, of as many as there are. `variable` looks up a variable
/// of the environment. SLURM sets `SLURM_ARRAY_TASK_ID`, the least and the largest ID of the array, how many tasks it has,
/// and the step between IDs.
///
/// ```
/// use explore::sweep::Shard;
///
/// // The second of `--array=0-30:10`.
/// let variable = |name: &str| match name {
///     "SLURM_ARRAY_TASK_ID" | "SLURM_ARRAY_TASK_STEP" => Some("10".to_string()),
///     "SLURM_ARRAY_TASK_MIN" => Some("0".to_string()),
///     "SLURM_ARRAY_TASK_COUNT" => Some("4".to_string()),
///     _ => None,
/// };
/// assert_eq!(esnsim::slurm_shard(variable)?, Shard { index: 2, of: 4 });
/// # Ok::<(), esnsim::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Slurm`] if a variable is not set or is no number, and if the IDs are not evenly spaced: tasks are then not 1 to n.
pub fn slurm_shard(variable: impl Fn(&str) -> Option<String>) -> Result<Shard, Error> {
    let number = |name: &str| number(name, variable(&in_full(name)).as_deref());
    let (id, of) = (required("ID", number("ID")?)?, required("COUNT", number("COUNT")?)?);
    let min = required("MIN", number("MIN")?)?;
    let step = number("STEP")?.unwrap_or(1);
    if of == 0 || step == 0 {
        return Err(problem(format!("the array has {of} tasks in steps of {step}; expected at least 1 of both")));
    }
    // In integers that no product of two such numbers leaves.
    let last = u128::from(min) + u128::from(step) * u128::from(of - 1);
    let expected = format!("expected evenly spaced tasks, as the array 1-{of}");
    if let Some(max) = number("MAX")?.filter(|&max| u128::from(max) != last) {
        return Err(problem(format!(
            "{of} tasks from {min} to {max} in steps of {step} are not evenly spaced; {expected}"
        )));
    }
    if id < min || u128::from(id) > last || (id - min) % step != 0 {
        return Err(problem(format!("task {id} is none of {of} from {min} on in steps of {step}; {expected}")));
    }
    let index = usize::try_from((id - min) / step + 1).map_err(|error| problem(error.to_string()))?;
    Ok(Shard { index, of: usize::try_from(of).map_err(|error| problem(error.to_string()))? })
}

fn in_full(name: &str) -> String {
    format!("SLURM_ARRAY_TASK_{name}")
}

fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Error> {
    let wrong = |text: &str| problem(format!("{} is {text:?}; expected a whole number", in_full(name)));
    text.map(|text| text.trim().parse().map_err(|_| wrong(text))).transpose()
}

fn required(name: &str, number: Option<u64>) -> Result<u64, Error> {
    let words = || format!("{} is not set; expected the variables of an array job", in_full(name));
    number.ok_or_else(|| problem(words()))
}

fn problem(problem: String) -> Error {
    Error::Slurm { problem }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    /// The share of variables in the order ID, MIN, MAX, COUNT, STEP; an empty text is not set.
    fn shard(values: [&str; 5]) -> Result<(usize, usize), String> {
        let names = ["ID", "MIN", "MAX", "COUNT", "STEP"].map(in_full);
        let variable = |name: &str| {
            let place = names.iter().position(|known| known == name)?;
            Some(values[place].to_string()).filter(|value| !value.is_empty())
        };
        slurm_shard(variable).map(|shard| (shard.index, shard.of)).map_err(|error| error.to_string())
    }

    #[test]
    fn tasks_of_an_even_range_are_one_to_n() {
        let cases = [
            (["1", "1", "8", "8", "1"], (1, 8)),
            (["8", "1", "8", "8", "1"], (8, 8)),
            (["0", "0", "7", "8", "1"], (1, 8)),
            (["15", "5", "25", "5", "5"], (3, 5)),
            (["4", "3", "", "2", ""], (2, 2)),
            (["7", "7", "7", "1", "1"], (1, 1)),
        ];
        check_all(cases, |&(values, expected)| assert_eq!(shard(values), Ok(expected)));
    }

    #[test]
    fn what_is_not_evenly_spaced_is_refused() {
        let cases = [
            (["", "1", "8", "8", "1"], "SLURM_ARRAY_TASK_ID is not set"),
            (["1", "", "8", "8", "1"], "SLURM_ARRAY_TASK_MIN is not set"),
            (["1", "1", "8", "", "1"], "SLURM_ARRAY_TASK_COUNT is not set"),
            (["one", "1", "8", "8", "1"], "SLURM_ARRAY_TASK_ID is \"one\"; expected a whole number"),
            (["-1", "1", "8", "8", "1"], "SLURM_ARRAY_TASK_ID is \"-1\""),
            (["1", "1", "8", "0", "1"], "0 tasks"),
            (["1", "1", "8", "8", "0"], "steps of 0"),
            // --array=1,3,9
            (["3", "1", "9", "3", "1"], "3 tasks from 1 to 9 in steps of 1 are not evenly spaced"),
            (["9", "1", "8", "8", "1"], "task 9 is none of 8 from 1 on"),
            (["0", "1", "8", "8", "1"], "task 0 is none of 8"),
            (["6", "5", "25", "5", "5"], "task 6 is none of 5 from 5 on in steps of 5"),
            (["1", "18446744073709551615", "", "18446744073709551615", "9"], "task 1 is none of"),
        ];
        check_all(cases, |&(values, expected)| {
            let message = shard(values).expect_err("not evenly spaced");
            assert!(message.starts_with("SLURM: ") && message.contains(expected), "{message}");
        });
    }
}
