//! What targets share beside the readers: mutation that leaves a model a model.

use esnsim_tests::fuzz::{Random, mutate_model};
use libfuzzer_sys::fuzzer_mutate;

/// Changes parts of a model half of the time, bytes otherwise; the new size is returned.
pub fn mutate_models(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    if seed % 2 == 0
        && let Some(model) = mutate_model(&data[..size], &mut Random::new(u64::from(seed)))
        && model.len() <= max_size.min(data.len())
    {
        data[..model.len()].copy_from_slice(&model);
        return model.len();
    }
    fuzzer_mutate(data, size, max_size)
}
