//! Are LSTM, GRU and RNN what onnxruntime and PyTorch make of them, on every executor?
//!
//! `reference/recurrent.json` has random operators and networks; `python/recurrent.py` made it.

use esnsim_tests::Recorded;
use testkit::check_all;

#[test]
fn recorded_networks_give_what_others_make_of_them() {
    let cases = Recorded::all("recurrent.json");
    let count = |kind: &str| cases.iter().filter(|case| case.name.starts_with(kind)).count();
    let kinds = ["lstm: ", "gru: ", "rnn: ", "torch: "];
    assert_eq!(kinds.map(count), [20, 20, 20, 10]);
    check_all(0..cases.len(), |&row| {
        cases[row].assert_whole();
    });
}
