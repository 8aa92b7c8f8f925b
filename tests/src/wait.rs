//! Waiting for a condition with a deadline: the one place in the tests that sleeps.

use std::thread;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(100);

/// Calls `check` until it is fine, at most for `patience`; gives back how long it took.
///
/// # Errors
/// What `check` complained about last.
pub fn until(
    patience: Duration,
    mut check: impl FnMut() -> Result<(), String>,
) -> Result<Duration, String> {
    let start = Instant::now();
    loop {
        let complaint = match check() {
            Ok(()) => return Ok(start.elapsed()),
            Err(complaint) => complaint,
        };
        if start.elapsed() >= patience {
            return Err(complaint);
        }
        thread::sleep(STEP);
    }
}

/// Calls `check` again and again during all of `span`.
///
/// # Errors
/// The first complaint of `check`, at once.
pub fn throughout(
    span: Duration,
    mut check: impl FnMut() -> Result<(), String>,
) -> Result<(), String> {
    let start = Instant::now();
    loop {
        check().map_err(|why| format!("after {:.1?}: {why}", start.elapsed()))?;
        if start.elapsed() >= span {
            return Ok(());
        }
        thread::sleep(STEP);
    }
}
