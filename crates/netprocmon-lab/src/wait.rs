//! Waiting for a condition, with a limit. The only place that lets time pass.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until `look` gives something or `limit` has passed; `None` on the limit.
pub fn until<T>(limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if start.elapsed() >= limit {
            return Ok(None);
        }
        sleep(PAUSE);
    }
}

/// Looks until `read` has given the same value for `still`; `None` when it still changes at `limit`.
pub fn until_stable<T: PartialEq>(
    still: Duration,
    limit: Duration,
    mut read: impl FnMut() -> Result<T>,
) -> Result<Option<T>> {
    let mut last = read()?;
    let mut since = Instant::now();
    until(limit, move || {
        let now = read()?;
        if now != last {
            last = now;
            since = Instant::now();
            return Ok(None);
        }
        Ok((since.elapsed() >= still).then_some(now))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_never_comes_ends_at_the_limit() {
        let found = until(Duration::from_millis(1), || Ok(None::<()>)).unwrap();
        assert!(found.is_none());
    }

    #[test]
    fn a_value_that_settles_is_given() {
        let mut reads = 0;
        let settled = until_stable(Duration::ZERO, Duration::from_secs(5), || {
            reads += 1;
            Ok(reads.min(4))
        });
        assert_eq!(settled.unwrap(), Some(4));
    }
}
