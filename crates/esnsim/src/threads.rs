//! How many threads work.

use crate::error::Error;

/// Runs `work` on so many threads, on one for each core where no number is given. Results do not depend on the number.
///
/// # Errors
///
/// [`Error::Threads`] if the threads cannot be started.
pub fn on_threads<T: Send>(threads: Option<usize>, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build();
    Ok(pool.map_err(Error::Threads)?.install(work))
}
