//! Who started a process, who started that, and so on up to the first.
//!
//! `/proc` knows the parents of those that live, and forgets: a parent that ends is replaced by the
//! one that adopts. So whoever can watch processes being born hands those births in, and they count
//! for more. Nothing is remembered here from one round to the next: see [`Ancestry::forget`].

use std::collections::HashMap;
use std::sync::Arc;

use netprocmon_model::{Ancestor, Pid, Process, ProcessId};

use crate::process::{self, same_start};

/// How a process came to be, written down when it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// When, in nanoseconds since boot.
    pub start_boottime: u64,
    /// Who started it.
    pub parent: ProcessId,
    /// What it was called after it last executed a program.
    pub name: Arc<str>,
}

/// No chain is longer, whatever `/proc` says.
const LONGEST: usize = 64;

/// Finds chains of parents. Asks `/proc` once for each parent in a round, however many children
/// it has.
#[derive(Debug, Default)]
pub struct Ancestry {
    lines: HashMap<ProcessId, Arc<[Ancestor]>>,
}

/// What is known of a process that may be above another.
struct Known {
    id: ProcessId,
    name: Option<Arc<str>>,
    parent: Parent,
}

/// Whose child it is, as well as can be said.
#[derive(Clone, Copy)]
enum Parent {
    /// Exactly this one.
    Born(ProcessId),
    /// The one that has this pid, and was there first.
    Pid(Pid),
}

impl Ancestry {
    /// Those above a process, its parent first: as far as `births` and `/proc` know. What has
    /// `births` for its pid may be another process's, and is looked at.
    ///
    /// Where only the parent's pid is known, that is the whole chain, without a name.
    pub fn of(
        &mut self,
        child: &Process,
        births: impl Fn(Pid) -> Option<Birth>,
    ) -> Arc<[Ancestor]> {
        let born = births(child.pid).filter(|birth| is_of(birth, child.id));
        let said = child.ppid.map(Parent::Pid);
        let parent = born.map(|birth| Parent::Born(birth.parent)).or(said);
        match parent.and_then(|parent| find(child.id, parent, &births)) {
            Some(parent) => self.line(parent, &births),
            None => [].into(),
        }
    }

    /// Begins the next round: names and parents are asked for again.
    pub fn forget(&mut self) {
        self.lines.clear();
    }

    /// The chain that begins with `first`.
    fn line(&mut self, first: Known, births: &impl Fn(Pid) -> Option<Birth>) -> Arc<[Ancestor]> {
        let id = first.id;
        if let Some(line) = self.lines.get(&id) {
            return Arc::clone(line);
        }
        let mut line = Vec::new();
        let mut next = Some(first);
        while let Some(one) = next.filter(|_| line.len() < LONGEST) {
            line.push(Ancestor {
                id: one.id,
                pid: one.id.pid,
                name: one.name,
            });
            next = find(one.id, one.parent, births);
        }
        let line: Arc<[Ancestor]> = line.into();
        self.lines.insert(id, Arc::clone(&line));
        line
    }
}

/// The parent of `child`; `None` above the first process, and where a pid belongs to somebody who
/// came later.
fn find(child: ProcessId, parent: Parent, births: &impl Fn(Pid) -> Option<Birth>) -> Option<Known> {
    let (pid, start) = match parent {
        Parent::Born(id) => (id.pid, Some(id.start_boottime)),
        Parent::Pid(pid) => (pid, None),
    };
    (pid.0 != 0 && pid != child.pid).then_some(())?;
    let is_it = |found: u64| match start {
        Some(start) => same_start(found, start),
        None => found <= child.start_boottime,
    };
    let birth = births(pid).filter(|birth| is_it(birth.start_boottime));
    let lives = process::glance(pid).filter(|seen| is_it(seen.id.start_boottime));
    Some(match (lives, birth) {
        (Some(lives), birth) => Known {
            id: lives.id,
            name: Some(lives.name),
            parent: birth.map_or(Parent::Pid(lives.ppid), |birth| Parent::Born(birth.parent)),
        },
        (None, Some(birth)) => Known {
            id: ProcessId {
                pid,
                start_boottime: birth.start_boottime,
            },
            name: Some(birth.name),
            parent: Parent::Born(birth.parent),
        },
        // All that is known is its pid.
        (None, None) => Known {
            id: ProcessId {
                pid,
                start_boottime: start.unwrap_or(0),
            },
            name: None,
            parent: Parent::Pid(Pid(0)),
        },
    })
}

fn is_of(birth: &Birth, id: ProcessId) -> bool {
    same_start(birth.start_boottime, id.start_boottime)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn id(pid: u32, start_boottime: u64) -> ProcessId {
        ProcessId {
            pid: Pid(pid),
            start_boottime,
        }
    }

    fn shown(line: &[Ancestor]) -> Vec<(u32, Option<&str>)> {
        line.iter()
            .map(|one| (one.pid.0, one.name.as_deref()))
            .collect()
    }

    /// Pids beyond what the kernel gives: nobody lives there.
    const GONE: u32 = 1 << 30;

    #[test]
    fn those_that_are_gone_are_known_by_their_births() {
        let births = |pid: Pid| {
            let second = |n: u64| n * 1_000_000_000;
            let (start, parent, name) = match pid.0 - GONE {
                3 => (second(30), id(GONE + 2, second(20)), "curl"),
                2 => (second(20), id(GONE + 1, second(10)), "sh"),
                // Another one that has the pid by now.
                1 => (second(99), id(GONE + 9, second(98)), "later"),
                _ => return None,
            };
            Some(Birth {
                start_boottime: start,
                parent,
                name: name.into(),
            })
        };
        let mut ancestry = Ancestry::default();
        let mut curl = Process::new(id(GONE + 3, 30_000_000_000), "curl");
        // It has been adopted since.
        curl.ppid = Some(Pid(1));
        let line = ancestry.of(&curl, births);
        assert_eq!(
            shown(&line),
            [(GONE + 2, Some("sh")), (GONE + 1, None)],
            "the namesake of a parent is not one"
        );
        let again = ancestry.of(&curl, births);
        assert!(Arc::ptr_eq(&line, &again), "brothers share it");
        // A later process with the pid of one whose birth is known.
        let namesake = Process::new(id(GONE + 3, 50_000_000_000), "curl");
        assert!(ancestry.of(&namesake, births).is_empty());
    }

    #[test]
    fn births_in_a_circle_come_to_an_end() {
        let births = |pid: Pid| {
            Some(Birth {
                start_boottime: 7,
                parent: id(GONE + (pid.0 - GONE + 1) % 3, 7),
                name: "x".into(),
            })
        };
        let child = Process::new(id(GONE, 7), "x");
        assert_eq!(Ancestry::default().of(&child, births).len(), LONGEST);
    }

    #[test]
    fn a_child_of_ours_has_us_above_it_and_the_first_process_last() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let facts = process::read(Pid(child.id())).unwrap();
        let line = Ancestry::default().of(&facts, |_| None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(line[0].pid, Pid(std::process::id()));
        let own = process::read(Pid(std::process::id())).unwrap();
        assert_eq!(line[0].name, Some(own.name));
        let last = line.last().unwrap();
        assert_eq!(process::glance(last.pid).unwrap().ppid, Pid(0));
    }
}
