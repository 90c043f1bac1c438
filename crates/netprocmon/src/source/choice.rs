//! Which source is taken: a pure function of what is asked for and what has been found out.

use std::fmt;
use std::str::FromStr;

use netprocmon_model::SourceKind;

use crate::doctor::Verdict;
use crate::{Error, ErrorKind};

/// From the best to the one that always works.
pub(crate) const BEST_FIRST: [SourceKind; 3] =
    [SourceKind::Ebpf, SourceKind::Packet, SourceKind::Sockdiag];

/// Which source is to count.
///
/// ```
/// use netprocmon::SourceChoice;
///
/// assert_eq!("auto".parse(), Ok(SourceChoice::Auto));
/// assert_eq!(SourceChoice::Sockdiag.to_string(), "sockdiag");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SourceChoice {
    /// The best one that works here; what the better ones lack is among the degradations.
    #[default]
    Auto,
    /// [`SourceKind::Ebpf`] or an error.
    Ebpf,
    /// [`SourceKind::Packet`] or an error.
    Packet,
    /// [`SourceKind::Sockdiag`] or an error.
    Sockdiag,
}

impl SourceChoice {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Ebpf, Self::Packet, Self::Sockdiag];

    /// The word that the command line uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.only() {
            None => "auto",
            Some(kind) => kind.name(),
        }
    }

    /// The one source that may be taken; `None` where any may.
    const fn only(self) -> Option<SourceKind> {
        match self {
            Self::Auto => None,
            Self::Ebpf => Some(SourceKind::Ebpf),
            Self::Packet => Some(SourceKind::Packet),
            Self::Sockdiag => Some(SourceKind::Sockdiag),
        }
    }
}

impl fmt::Display for SourceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No source is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no source is called {0:?}: give auto, ebpf, packet or sockdiag")]
pub struct NoSuchSource(String);

impl FromStr for SourceChoice {
    type Err = NoSuchSource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| NoSuchSource(text.to_owned()))
    }
}

/// What has been found out about the sources on this host: why those do not work that were tried.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    refused: Vec<(SourceKind, Error)>,
}

impl Facts {
    /// This source was tried and does not start.
    pub(crate) fn refuse(&mut self, source: SourceKind, error: Error) {
        self.refused.push((source, error));
    }

    fn refusal(&self, source: SourceKind) -> Option<usize> {
        self.refused.iter().position(|(kind, _)| *kind == source)
    }
}

/// What to start, and what is lost with it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) source: SourceKind,
    /// Why no better one was taken, the best first.
    pub(crate) refused: Vec<Verdict>,
}

/// Takes the best source that `request` allows and that is not known to fail. Where there is none
/// left, the best one's error.
pub(crate) fn choose(request: SourceChoice, facts: &mut Facts) -> Result<Plan, Error> {
    let allowed = |kind: &SourceKind| request.only().is_none_or(|only| only == *kind);
    let allowed = BEST_FIRST.into_iter().filter(allowed);
    let mut refused = Vec::new();
    for source in allowed.clone() {
        match facts.refusal(source).and_then(|at| facts.refused.get(at)) {
            None => return Ok(Plan { source, refused }),
            Some((_, error)) => refused.push(Verdict::refused(source, error)),
        }
    }
    let best = allowed.clone().find_map(|source| facts.refusal(source));
    Err(match best {
        Some(at) => facts.refused.swap_remove(at).1,
        None => Error::new(ErrorKind::Unsupported, "there is no source"),
    })
}

#[cfg(test)]
mod tests {
    use netprocmon_model::Degradation;

    use super::*;
    use SourceKind::{Ebpf, Packet, Sockdiag};

    fn facts(refused: &[SourceKind]) -> Facts {
        let mut facts = Facts::default();
        // In no order: what was tried first says nothing.
        for kind in refused.iter().rev() {
            let error = Error::new(ErrorKind::PermissionDenied, format!("no {kind}"));
            facts.refuse(*kind, error.with_remedy(format!("get {kind}")));
        }
        facts
    }

    #[test]
    fn the_best_that_is_asked_for_and_works() {
        use SourceChoice as Ask;
        let none: &[SourceKind] = &[];
        let rows = [
            // asked, refused, taken (or whose error), whose lack is told
            (Ask::Auto, none, Ok(Ebpf), none),
            (Ask::Auto, &[Ebpf], Ok(Packet), &[Ebpf]),
            (Ask::Auto, &[Packet], Ok(Ebpf), none),
            (Ask::Auto, &[Ebpf, Packet], Ok(Sockdiag), &[Ebpf, Packet]),
            (Ask::Auto, &[Ebpf, Packet, Sockdiag], Err(Ebpf), none),
            (Ask::Ebpf, none, Ok(Ebpf), none),
            (Ask::Ebpf, &[Ebpf], Err(Ebpf), none),
            (Ask::Ebpf, &[Packet], Ok(Ebpf), none),
            (Ask::Packet, none, Ok(Packet), none),
            (Ask::Packet, &[Packet], Err(Packet), none),
            (Ask::Packet, &[Ebpf, Packet], Err(Packet), none),
            (Ask::Packet, &[Ebpf], Ok(Packet), none),
            (Ask::Sockdiag, &[Ebpf, Packet], Ok(Sockdiag), none),
            (Ask::Sockdiag, &[Sockdiag], Err(Sockdiag), none),
        ];
        for (asked, refused, taken, told) in rows {
            let row = format!("{asked}, refused {refused:?}");
            match (choose(asked, &mut facts(refused)), taken) {
                (Ok(plan), Ok(expected)) => {
                    assert_eq!(plan.source, expected, "{row}");
                    let missing: Vec<_> = plan.refused.iter().map(Verdict::lack).collect();
                    let remedies = missing.iter().map(|one| one.remedy.clone());
                    let expected = told.iter().map(|kind| Some(format!("get {kind}")));
                    assert!(remedies.eq(expected), "{row}: {missing:?}");
                    let is_right = |one: &Degradation| one.code == "missing_capability";
                    assert!(missing.iter().all(is_right), "{row}");
                }
                (Err(error), Err(expected)) => {
                    assert_eq!(error.to_string(), format!("no {expected}"), "{row}");
                }
                (found, _) => panic!("{row}: {found:?}"),
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for choice in SourceChoice::ALL {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        let error = "pcap".parse::<SourceChoice>().unwrap_err();
        assert!(error.to_string().contains("sockdiag"), "{error}");
    }
}
