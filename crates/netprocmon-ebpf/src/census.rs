//! The processes that use the network: from the kernel's table of them to the model's facts.
//!
//! The kernel side writes a process down when it first touches a socket. That record has
//! everything a process can leave behind in a millisecond; where the process still lives, `/proc`
//! adds what is longer than the record (arguments) or resolved (the program's real path).

mod cgroups;

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use aya::Ebpf;
use aya::maps::{HashMap, MapData};
use netprocmon_host::ancestry::{Ancestry, Birth};
use netprocmon_host::{BootClock, process, script, user};
use netprocmon_model::{NetnsId, Pid, Process, ProcessId};
use rustix::io::Errno;

use crate::abi::{ARGS_LEN, BirthRecord, ProcessKey, ProcessRecord};
use crate::books::typed;
use crate::error::EbpfError;
use cgroups::Cgroups;

pub(crate) struct Census {
    table: HashMap<MapData, ProcessKey, ProcessRecord>,
    births: HashMap<MapData, u32, BirthRecord>,
    ancestry: Ancestry,
    known: BTreeMap<ProcessKey, Known>,
    cgroups: Cgroups,
    clock: BootClock,
    /// Number of a followed tree -> pid of its root.
    trees: BTreeMap<u32, Pid>,
    /// Members that were there when the tree was opened, and may be written down without it.
    members: BTreeMap<Pid, u32>,
    /// The last process whose program file was looked at.
    looked_at: Option<ProcessKey>,
}

/// Program files to look at in one go: a thousand processes are gone through in a minute.
const A_FEW: usize = 16;

struct Known {
    facts: Arc<Process>,
    ended: bool,
}

impl Census {
    pub(crate) fn new(ebpf: &mut Ebpf, cgroup_root: OwnedFd) -> Result<Self, EbpfError> {
        Ok(Self {
            table: typed(ebpf, "processes", HashMap::try_from)?,
            births: typed(ebpf, "births", HashMap::try_from)?,
            ancestry: Ancestry::default(),
            known: BTreeMap::new(),
            cgroups: Cgroups::new(cgroup_root),
            clock: BootClock::new(),
            trees: BTreeMap::new(),
            members: BTreeMap::new(),
            looked_at: None,
        })
    }

    /// The model's identity of a process of the kernel's: the start in the resolution of `/proc`,
    /// so that both name the same process alike.
    pub(crate) fn id(key: ProcessKey) -> ProcessId {
        let start_boottime = process::ns_from_ticks(process::ticks_from_ns(key.start));
        ProcessId {
            pid: Pid(key.tgid),
            start_boottime,
        }
    }

    pub(crate) fn clock(&self) -> BootClock {
        self.clock
    }

    /// From now on, members of tree `number` are shown to belong to `root`.
    pub(crate) fn name_tree(&mut self, number: u32, root: Pid) {
        self.trees.insert(number, root);
    }

    /// A living process belongs to tree `number`. Answers with the process, where it is known.
    pub(crate) fn join_tree(&mut self, number: u32, member: Pid) -> Option<ProcessKey> {
        self.members.insert(member, number);
        let known = self
            .known
            .iter()
            .find(|(key, known)| key.tgid == member.0 && !known.ended);
        known.map(|(key, _)| *key)
    }

    pub(crate) fn leave_tree(&mut self, member: Pid) {
        self.members.remove(&member);
    }

    /// A cgroup that was not known: what it is called and means is found out while it is there.
    pub(crate) fn see_cgroup(&mut self, id: u64) {
        if let Some(path) = self.cgroups.path(id) {
            self.cgroups.place(&path);
        }
    }

    /// The next round of learning begins.
    pub(crate) fn begin(&mut self) {
        self.ancestry.forget();
    }

    pub(crate) fn knows(&self, key: ProcessKey) -> bool {
        self.known.contains_key(&key)
    }

    /// Whether the process has ended, as far as it has been told. One that nobody knows has.
    pub(crate) fn has_ended(&self, key: ProcessKey) -> bool {
        self.known.get(&key).is_none_or(|known| known.ended)
    }

    /// Reads the record of a process, new or changed. `None` when there is none any more.
    pub(crate) fn learn(&mut self, key: ProcessKey) -> Option<Arc<Process>> {
        let facts = if let Ok(record) = self.table.get(&key, 0) {
            self.facts(key, &record)
        } else {
            // The table was full when it came: what lives can still be asked.
            let mut facts = living(key, &self.clock)?;
            self.find_place(&mut facts, None);
            self.find_parents(&mut facts);
            facts
        };
        let ended = facts.exited.is_some();
        let facts = Arc::new(facts);
        self.known.insert(
            key,
            Known {
                facts: Arc::clone(&facts),
                ended,
            },
        );
        Some(facts)
    }

    /// Looks at the program files of a few processes that live, each time at the next ones: a program
    /// that is upgraded or deleted tells nobody. Gives the facts that have changed.
    pub(crate) fn look_at_programs(&mut self) -> Vec<Arc<Process>> {
        let behind = self.looked_at.map_or(Unbounded, Excluded);
        let mut changed = Vec::new();
        let mut last = None;
        for (key, known) in self.known.range_mut((behind, Unbounded)).take(A_FEW) {
            last = Some(*key);
            let now = (!known.ended).then(|| process::program_file(Pid(key.tgid)));
            if let Some(now) = now.filter(|now| *now != known.facts.exe_file) {
                Arc::make_mut(&mut known.facts).exe_file = now;
                changed.push(Arc::clone(&known.facts));
            }
        }
        self.looked_at = last;
        changed
    }

    /// Processes thought to live whose records say otherwise; for when events were lost.
    pub(crate) fn newly_ended(&self) -> Vec<ProcessKey> {
        let living = self.known.iter().filter(|(_, known)| !known.ended);
        let ended = living.filter(|(key, _)| {
            self.table
                .get(key, 0)
                .is_ok_and(|record| record.exit_ns != 0)
                || (self.table.get(key, 0).is_err()
                    && process::start_ticks(Pid(key.tgid)).is_none())
        });
        ended.map(|(key, _)| *key).collect()
    }

    /// Processes that are not there any more, and whose end nobody has told.
    pub(crate) fn gone(&self) -> Vec<ProcessKey> {
        let living = self.known.iter().filter(|(_, known)| !known.ended);
        let gone = living.filter(|(key, _)| !is_there(**key));
        gone.map(|(key, _)| *key).collect()
    }

    /// Takes down the end of a process that nobody has told of: it was a moment ago.
    pub(crate) fn end(&mut self, key: ProcessKey) -> Option<Arc<Process>> {
        let now = self.clock.timestamp(BootClock::now());
        let known = self.known.get_mut(&key)?;
        known.ended = true;
        Arc::make_mut(&mut known.facts).exited.get_or_insert(now);
        Some(Arc::clone(&known.facts))
    }

    /// Forgets an ended process, here and in the kernel.
    pub(crate) fn forget(&mut self, key: ProcessKey) {
        self.members.remove(&Pid(key.tgid));
        self.known.remove(&key);
        // Already gone is as good.
        let _ = self.table.remove(&key);
    }

    /// Ended processes, for those among them that never had a byte counted.
    pub(crate) fn ended(&self) -> impl Iterator<Item = ProcessKey> + '_ {
        self.known
            .iter()
            .filter(|(_, known)| known.ended)
            .map(|(key, _)| *key)
    }

    fn facts(&mut self, key: ProcessKey, record: &ProcessRecord) -> Process {
        let id = Self::id(key);
        let before = self.known.get(&key).map(|known| Arc::clone(&known.facts));
        let lives = (record.exit_ns == 0)
            .then(|| living(key, &self.clock))
            .flatten();
        let better = lives.as_ref().or(before.as_deref());
        // Exec and exit write these down; until then they are /proc's to tell.
        let written = record.cgroup != 0;
        let args = arguments(&record.args[..bounded(record.args_len, record.args.len())]);
        let text = |bytes: &[u8]| -> Arc<str> { String::from_utf8_lossy(bytes).into() };
        let executed = &record.exe[..bounded(record.exe_len, record.exe.len())];
        let uid = match lives.as_ref() {
            Some(facts) => facts.uid,
            None if written => Some(record.uid),
            None => before.as_ref().and_then(|facts| facts.uid),
        };
        let name = match better {
            Some(facts) if !written => Arc::clone(&facts.name),
            None if !written => self.name_at_birth(key).unwrap_or_default(),
            _ => text(until_nul(&record.comm)),
        };
        let exe = better
            .and_then(|facts| facts.exe.clone())
            .or_else(|| program(&text(executed), args.as_deref()));
        let script = match better {
            Some(facts) => facts.script.clone(),
            None => script::name(exe.as_deref(), whole(args.as_deref(), record.args_len)),
        };
        let mut facts = Process {
            started: Some(self.clock.timestamp(id.start_boottime)),
            ppid: better
                .and_then(|facts| facts.ppid)
                .or(written.then_some(Pid(record.ppid))),
            exe,
            exe_file: better.and_then(|facts| facts.exe_file),
            script,
            command: better.and_then(|facts| facts.command.clone()).or(args),
            uid,
            user: uid.and_then(user::name),
            cgroup: better.and_then(|facts| facts.cgroup.clone()),
            netns: (record.netns != 0)
                .then_some(NetnsId::new(record.netns))
                .or_else(|| better.and_then(|facts| facts.netns)),
            exited: (record.exit_ns != 0).then(|| self.clock.timestamp(record.exit_ns)),
            tree: self.root_of(record.tree, id.pid),
            ..Process::new(id, &name)
        };
        self.find_place(&mut facts, written.then_some(record.cgroup));
        match &before {
            Some(before) => {
                facts.parents = Arc::clone(&before.parents);
                facts.ppid = before.ppid;
            }
            None => self.find_parents(&mut facts),
        }
        facts
    }

    /// The name that it was born or last executed with, while that is remembered.
    fn name_at_birth(&self, key: ProcessKey) -> Option<Arc<str>> {
        let record = self.births.get(&key.tgid, 0).ok()?;
        (record.start == key.start).then(|| birth(&record, Pid(key.tgid)).name)
    }

    /// Fills in who is above it; once, for who has ended is forgotten by and by.
    fn find_parents(&mut self, facts: &mut Process) {
        let births = &self.births;
        facts.parents = self.ancestry.of(facts, |pid| {
            let record = births.get(&pid.0, 0).ok()?;
            Some(birth(&record, pid))
        });
        facts.ppid = facts
            .parents
            .first()
            .map(|parent| parent.pid)
            .or(facts.ppid);
    }

    /// Fills in the cgroup's path, where only its number is known, and what the path means.
    fn find_place(&mut self, facts: &mut Process, cgroup: Option<u64>) {
        facts.cgroup = match &facts.cgroup {
            Some(path) => Some(self.cgroups.told(path)),
            None => cgroup.and_then(|id| self.cgroups.path(id)),
        };
        if let Some(path) = &facts.cgroup {
            facts.place = self.cgroups.place(path);
        }
    }

    fn root_of(&self, number: u32, pid: Pid) -> Option<Pid> {
        let number = if number == 0 {
            self.members.get(&pid)?
        } else {
            &number
        };
        self.trees.get(number).copied()
    }
}

/// A birth as the kernel side wrote it down.
fn birth(record: &BirthRecord, pid: Pid) -> Birth {
    let id = |start, tgid| {
        Census::id(ProcessKey {
            start,
            tgid,
            unused: 0,
        })
    };
    Birth {
        start_boottime: id(record.start, pid.0).start_boottime,
        parent: id(record.parent_start, record.parent_tgid),
        name: String::from_utf8_lossy(until_nul(&record.comm)).into(),
    }
}

/// Whether it is a process still, also where `/proc` does not show others'.
fn is_there(key: ProcessKey) -> bool {
    let pid = Pid(key.tgid);
    match process::start_ticks(pid) {
        Some(ticks) => ticks == process::ticks_from_ns(Census::id(key).start_boottime),
        None => i32::try_from(pid.0)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(Errno::SRCH)),
    }
}

/// What `/proc` says, when the pid is still this process.
fn living(key: ProcessKey, clock: &BootClock) -> Option<Process> {
    let facts = process::read_with(Pid(key.tgid), clock)?;
    (facts.id == Census::id(key)).then_some(facts)
}

fn bounded(len: u32, most: usize) -> usize {
    usize::try_from(len).unwrap_or(most).min(most)
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Arguments, each ended by a NUL, the last perhaps cut. `None` where none could be read.
fn arguments(bytes: &[u8]) -> Option<Arc<[Arc<str>]>> {
    (!bytes.is_empty()).then_some(())?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let one = |argument: &[u8]| -> Arc<str> { String::from_utf8_lossy(argument).into() };
    Some(bytes.split(|&byte| byte == 0).map(one).collect())
}

/// The arguments that are there whole: where the record was too short for all, the last is cut.
fn whole(args: Option<&[Arc<str>]>, len: u32) -> &[Arc<str>] {
    let args = args.unwrap_or_default();
    match args.split_last() {
        Some((_, whole)) if bounded(len, usize::MAX) >= ARGS_LEN => whole,
        _ => args,
    }
}

/// The program file of a process that is gone: what execve(2) was given; but a script is given
/// there too, and then the kernel has put the interpreter in front of the arguments.
fn program(executed: &str, args: Option<&[Arc<str>]>) -> Option<Arc<str>> {
    (!executed.is_empty()).then_some(())?;
    if let Some([interpreter, rest @ ..]) = args
        && interpreter.starts_with('/')
        && **interpreter != *executed
        && rest.iter().any(|argument| **argument == *executed)
    {
        return Some(Arc::clone(interpreter));
    }
    Some(executed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_keep_empty_ones_and_survive_bad_bytes() {
        assert_eq!(arguments(b""), None);
        let args = arguments(b"curl\0\0-s\xff\0").unwrap();
        assert_eq!(
            args.iter().map(|a| &**a).collect::<Vec<_>>(),
            ["curl", "", "-s\u{fffd}"]
        );
    }

    #[test]
    fn an_argument_that_was_cut_is_no_script() {
        let args = arguments(b"python3\0-u\0/srv/tra");
        assert_eq!(whole(args.as_deref(), 64).len(), 3);
        assert_eq!(whole(args.as_deref(), 512).len(), 2);
        assert!(whole(None, 0).is_empty());
    }

    #[test]
    fn the_program_of_a_script_is_its_interpreter() {
        let args = arguments(b"/bin/sh\0/tmp/deploy.sh\0now\0");
        assert_eq!(
            program("/tmp/deploy.sh", args.as_deref()).as_deref(),
            Some("/bin/sh")
        );
        let args = arguments(b"curl\0-s\0");
        assert_eq!(
            program("/usr/bin/curl", args.as_deref()).as_deref(),
            Some("/usr/bin/curl")
        );
        assert_eq!(program("", args.as_deref()), None);
    }

    #[test]
    fn a_length_beyond_the_record_is_cut() {
        assert_eq!(bounded(u32::MAX, 512), 512);
    }
}
