//! Reads `--filter`, with an error that points at the place, and `--source`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use netprocmon::{Filter, SourceChoice};

/// `--source`, with the words for help and completions.
pub(super) fn source() -> impl TypedValueParser<Value = SourceChoice> {
    let words = SourceChoice::ALL.map(SourceChoice::name);
    PossibleValuesParser::new(words).try_map(|word| word.parse::<SourceChoice>())
}

/// The filter, or what is wrong with it and a mark below where.
pub(crate) fn filter(text: &str) -> Result<Filter, String> {
    text.parse::<Filter>().map_err(|error| error.pointed(text))
}
