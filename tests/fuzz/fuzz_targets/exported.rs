#![no_main]

use esnsim_fuzz::mutate_parts;
use esnsim_tests::fuzz::target;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| (target("exported").run)(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_parts("exported", data, size, max_size, seed)
});
