//! Networks with an input each and what another program made of them, as scripts in `tests/python` record them.

use std::fs;

use serde_json::Value;

use crate::repository;

/// One network.
#[derive(Debug)]
pub struct Recorded {
    /// Its name.
    pub name: String,
    /// The network's file.
    pub file: Vec<u8>,
    /// The input, row-major in the order of the file.
    pub input: Vec<f32>,
    /// Shape of the output.
    pub shape: Vec<usize>,
    /// The output, row-major in the order of the file.
    pub output: Vec<f32>,
    /// That of other kernels of the same program, where it was recorded.
    pub default: Option<Vec<f32>>,
}

impl Recorded {
    /// All networks of a file of `tests/reference`.
    ///
    /// # Panics
    ///
    /// If there is no such file, or it is none of these.
    pub fn all(file: &str) -> Vec<Self> {
        let text = fs::read_to_string(repository(&format!("tests/reference/{file}"))).expect("it is in the repository");
        let cases: Vec<Value> = serde_json::from_str(&text).expect("valid JSON");
        cases.iter().map(Self::of).collect()
    }

    /// All networks of a file in which each is a case of an operator, with the operator's name.
    ///
    /// # Panics
    ///
    /// If there is no such file, or it is none of these.
    pub fn with_operators(file: &str) -> Vec<(String, Self)> {
        let text = fs::read_to_string(repository(&format!("tests/reference/{file}"))).expect("it is in the repository");
        let cases: Vec<Value> = serde_json::from_str(&text).expect("valid JSON");
        let operator = |case: &Value| case["operator"].as_str().expect("an operator").to_string();
        cases.iter().map(|case| (operator(case), Self::of(case))).collect()
    }

    fn of(case: &Value) -> Self {
        Self {
            name: case["name"].as_str().expect("a name").to_string(),
            file: file(case),
            input: numbers(&case["input"]),
            shape: numbers(&case["shape"]).iter().map(|&n| n as usize).collect(),
            output: numbers(&case["output"]),
            default: case.get("default").map(numbers),
        }
    }
}

/// The file of a case, which stands there in hexadecimal.
pub(crate) fn file(case: &Value) -> Vec<u8> {
    let digit = |d: u8| (d as char).to_digit(16).expect("hexadecimal") as u8;
    let digits = case["file"].as_str().expect("hexadecimal").as_bytes();
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("numbers").iter().map(|n| n.as_f64().expect("a number") as f32).collect()
}
