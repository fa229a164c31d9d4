//! Writes the seeds of every fuzz target to `tests/fuzz/corpus/TARGET/seed-N`, where cargo-fuzz looks for them.

use std::fs;
use std::io;
use std::path::Path;

use esnsim_tests::fuzz::{TARGETS, seeds};

fn main() -> io::Result<()> {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
        fs::create_dir_all(&folder)?;
        for (index, seed) in seeds(target.name).iter().enumerate() {
            fs::write(folder.join(format!("seed-{index}")), seed)?;
        }
    }
    Ok(())
}
