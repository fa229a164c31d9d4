//! What targets share beside the readers: mutation that leaves a file what it is.

use esnsim_tests::fuzz::{Random, mutate_structure};
use libfuzzer_sys::fuzzer_mutate;

/// Changes parts of what the bytes are half of the time, bytes otherwise; the new size is returned.
pub fn mutate_parts(target: &str, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    if seed % 2 == 0
        && let Some(changed) = mutate_structure(target, &data[..size], &mut Random::new(u64::from(seed)))
        && changed.len() <= max_size.min(data.len())
    {
        data[..changed.len()].copy_from_slice(&changed);
        return changed.len();
    }
    fuzzer_mutate(data, size, max_size)
}
