//! Reads `--filter`, with an error that points at the place.

use netprocmon::Filter;

/// The filter, or what is wrong with it and a mark below where.
pub(super) fn filter(text: &str) -> Result<Filter, String> {
    text.parse::<Filter>().map_err(|error| error.pointed(text))
}
