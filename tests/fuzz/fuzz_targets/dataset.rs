#![no_main]

use esnsim_tests::fuzz::target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| (target("dataset").run)(bytes));
