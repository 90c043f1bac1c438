//! What is committed against what is measured, benchmark by benchmark. Pure.

use std::collections::BTreeMap;
use std::fmt;

/// Instructions by benchmark, `package::function::case`.
pub(super) type Counts = BTreeMap<String, u64>;

/// Percent. The same program gives the same count; what the C library chooses by processor
/// (`memcpy`) can give a slightly different one.
const TOLERANCE: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    /// Cheaper: worth committing to, but no reason to fail.
    Fewer,
    More,
    /// Nothing is committed for it.
    New,
    /// There is no such benchmark any more.
    Gone,
    /// It cannot run here.
    Skipped,
}

impl Verdict {
    fn of(committed: Option<u64>, measured: Option<u64>, all: bool) -> Self {
        match (committed, measured) {
            (Some(old), Some(new)) if new * 100 > old * (100 + TOLERANCE) => Self::More,
            (Some(old), Some(new)) if new * 100 < old * (100 - TOLERANCE) => Self::Fewer,
            (Some(_), Some(_)) => Self::Same,
            (None, _) => Self::New,
            (Some(_), None) if all => Self::Gone,
            (Some(_), None) => Self::Skipped,
        }
    }

    pub(super) fn fails(self) -> bool {
        matches!(self, Self::More | Self::New | Self::Gone)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Fewer => "fewer; --update keeps it so",
            Self::More => "MORE than allowed",
            Self::New => "NEW, with no committed count",
            Self::Gone => "GONE, with a committed count",
            Self::Skipped => "SKIPPED",
        })
    }
}

/// A verdict on each benchmark that either side knows. `all` says whether all of them were to run.
pub(super) fn compare(
    committed: &Counts,
    measured: &Counts,
    all: bool,
) -> BTreeMap<String, Verdict> {
    let names = committed.keys().chain(measured.keys());
    names
        .map(|name| {
            let (old, new) = (committed.get(name), measured.get(name));
            (name.clone(), Verdict::of(old.copied(), new.copied(), all))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Counts {
        of.iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn only_more_new_and_gone_fail() {
        let committed = [
            ("a", 1000),
            ("b", 1000),
            ("c", 1000),
            ("d", 1000),
            ("e", 1000),
        ];
        let measured = [("a", 1050), ("b", 1051), ("c", 949), ("d", 950), ("f", 1)];
        let (committed, measured) = (counts(&committed), counts(&measured));
        let verdicts = compare(&committed, &measured, true);
        let expected = [
            ("a", Verdict::Same),
            ("b", Verdict::More),
            ("c", Verdict::Fewer),
            ("d", Verdict::Same),
            ("e", Verdict::Gone),
            ("f", Verdict::New),
        ];
        assert!(
            verdicts
                .iter()
                .map(|(name, verdict)| (name.as_str(), *verdict))
                .eq(expected)
        );
        let failing = verdicts.values().filter(|verdict| verdict.fails());
        assert_eq!(failing.count(), 3);
        assert_eq!(compare(&committed, &measured, false)["e"], Verdict::Skipped);
    }
}
