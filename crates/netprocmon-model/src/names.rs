//! Names that DNS answers have given to addresses, kept for the connections that follow.
//!
//! An address may go by many names (a content network serves thousands of sites from it) and a name
//! by many addresses, so what is kept is who asked for what, and when: the name of a connection is
//! the one that its own process asked for before it connected. Nothing is ever looked up here, and
//! what is kept is bounded, for the answers come from outside.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::{NetnsId, ProcessId};

/// Addresses that are kept; of more the one goes that was answered longest ago.
const ADDRESSES: usize = 16_384;
/// Answers that are kept of an address.
const ANSWERS: usize = 8;

/// A namespace and a canonical address in it.
type Key = (NetnsId, IpAddr);

/// The names that are known of addresses.
#[derive(Debug)]
pub(crate) struct Names {
    known: HashMap<Key, Known>,
    /// The same addresses by when they were answered last.
    by_age: BTreeMap<u64, Key>,
    limit: usize,
    /// Answers taken in so far.
    revision: u64,
}

#[derive(Debug)]
struct Known {
    /// The latest last.
    answers: Vec<Kept>,
    age: u64,
}

/// An answer that may have been given more than once.
#[derive(Debug)]
struct Kept {
    latest: Answer,
    first: Timestamp,
}

/// "This address goes by that name."
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) name: Arc<str>,
    pub(crate) at: Timestamp,
    pub(crate) asker: Option<ProcessId>,
}

/// The connection that a name is wanted for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) netns: NetnsId,
    pub(crate) remote: IpAddr,
    /// Whose it is.
    pub(crate) process: Option<ProcessId>,
    /// When it was opened; `None` for one that was open before anybody looked, which any answer
    /// may name.
    pub(crate) opened: Option<Timestamp>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            by_age: BTreeMap::new(),
            limit: ADDRESSES,
            revision: 0,
        }
    }

    /// Changes when there is a name that there was not before.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn learn(&mut self, netns: NetnsId, address: IpAddr, answer: Answer) {
        let key = (netns, address.to_canonical());
        self.revision += 1;
        let age = self.revision;
        let known = self.known.entry(key).or_insert_with(|| Known {
            answers: Vec::new(),
            age,
        });
        self.by_age.remove(&known.age);
        self.by_age.insert(age, key);
        known.age = age;
        known.learn(answer);
        if self.known.len() > self.limit
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.known.remove(&oldest);
        }
    }

    /// The latest name that the connection's own process asked for before it connected, else the
    /// latest that anybody did.
    pub(crate) fn name(&self, wanted: Wanted) -> Option<&Arc<str>> {
        let known = self
            .known
            .get(&(wanted.netns, wanted.remote.to_canonical()))?;
        let in_time = known
            .answers
            .iter()
            .filter(|kept| wanted.opened.is_none_or(|opened| kept.first <= opened));
        let is_own = |kept: &Kept| {
            let asker = kept.latest.asker;
            asker.is_some() && asker == wanted.process
        };
        // One that was repeated since counts as given just before the connection was opened.
        let at = |kept: &Kept| {
            let latest = kept.latest.at;
            wanted.opened.map_or(latest, |opened| latest.min(opened))
        };
        in_time
            .max_by_key(|kept| (is_own(kept), at(kept)))
            .map(|kept| &kept.latest.name)
    }
}

impl Known {
    fn learn(&mut self, latest: Answer) {
        let same = |kept: &Kept| {
            let known = &kept.latest;
            known.name == latest.name && known.asker == latest.asker
        };
        let before = self.answers.iter().position(same);
        let mut first = latest.at;
        if let Some(at) = before {
            first = first.min(self.answers.remove(at).first);
        } else if self.answers.len() == ANSWERS {
            self.answers.remove(0);
        }
        self.answers.push(Kept { latest, first });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pid;

    const HERE: NetnsId = NetnsId::new(1);

    fn process(pid: u32) -> ProcessId {
        ProcessId {
            pid: Pid(pid),
            start_boottime: 1,
        }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn learn(names: &mut Names, address: &str, name: &str, asker: u32, at: i64) {
        let answer = Answer {
            name: name.into(),
            at: second(at),
            asker: (asker != 0).then(|| process(asker)),
        };
        names.learn(HERE, address.parse().unwrap(), answer);
    }

    fn name<'a>(names: &'a Names, address: &str, pid: u32, opened: i64) -> Option<&'a str> {
        let wanted = Wanted {
            netns: HERE,
            remote: address.parse().unwrap(),
            process: (pid != 0).then(|| process(pid)),
            opened: (opened != 0).then(|| second(opened)),
        };
        names.name(wanted).map(AsRef::as_ref)
    }

    #[test]
    fn of_an_address_with_several_names_the_one_that_was_asked_for() {
        let mut names = Names::new();
        learn(&mut names, "192.0.2.1", "a.example", 5, 10);
        learn(&mut names, "192.0.2.1", "b.example", 6, 20);
        learn(&mut names, "192.0.2.1", "c.example", 5, 30);
        for (case, pid, opened, expected) in [
            ("own, at once", 5, 10, Some("a.example")),
            ("own, before the other", 5, 12, Some("a.example")),
            ("own, though another is later", 5, 25, Some("a.example")),
            ("own, the latest of two", 5, 31, Some("c.example")),
            ("own", 6, 40, Some("b.example")),
            ("anybody's", 7, 25, Some("b.example")),
            ("anybody's, owner unknown", 0, 40, Some("c.example")),
            ("answered after it was opened", 5, 9, None),
            ("open before anybody looked", 6, 0, Some("b.example")),
        ] {
            assert_eq!(name(&names, "192.0.2.1", pid, opened), expected, "{case}");
        }
    }

    #[test]
    fn a_name_of_several_addresses_is_that_of_each_and_of_no_other() {
        let mut names = Names::new();
        for address in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
            learn(&mut names, address, "a.example", 5, 10);
        }
        for address in ["192.0.2.1", "::ffff:192.0.2.2", "2001:db8::1"] {
            assert_eq!(name(&names, address, 5, 11), Some("a.example"));
        }
        assert_eq!(name(&names, "192.0.2.3", 5, 11), None);
        let elsewhere = Wanted {
            netns: NetnsId::new(2),
            remote: "192.0.2.1".parse().unwrap(),
            process: None,
            opened: None,
        };
        assert_eq!(names.name(elsewhere), None);
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes() {
        let mut names = Names::new();
        names.limit = 2;
        learn(&mut names, "192.0.2.1", "one.example", 5, 1);
        learn(&mut names, "192.0.2.2", "two.example", 5, 2);
        learn(&mut names, "192.0.2.1", "one.example", 5, 3); // said again
        learn(&mut names, "192.0.2.3", "three.example", 5, 4);
        assert_eq!(name(&names, "192.0.2.2", 5, 9), None);
        assert_eq!(name(&names, "192.0.2.1", 5, 9), Some("one.example"));
        assert_eq!((names.known.len(), names.by_age.len()), (2, 2));
        for round in 0..100 {
            learn(
                &mut names,
                "192.0.2.1",
                &format!("{round}.example"),
                5,
                round,
            );
        }
        assert_eq!(
            names.known.values().map(|of| of.answers.len()).max(),
            Some(ANSWERS)
        );
        assert_eq!((names.known.len(), names.by_age.len()), (2, 2));
    }

    #[test]
    fn an_answer_that_is_repeated_takes_no_second_place() {
        let mut names = Names::new();
        learn(&mut names, "192.0.2.1", "rare.example", 6, 1);
        for at in 2..50 {
            learn(&mut names, "192.0.2.1", "often.example", 5, at);
        }
        // Made between two of them, and heard of after the last.
        assert_eq!(name(&names, "192.0.2.1", 5, 20), Some("often.example"));
        assert_eq!(name(&names, "192.0.2.1", 6, 60), Some("rare.example"));
    }
}
