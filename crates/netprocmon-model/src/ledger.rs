//! Adds observations up and makes snapshots of the sum.
//!
//! The ledger is told what happened and what time it is; it never asks. Work follows change: an
//! observation touches one process, and a snapshot rebuilds only the processes that something
//! happened to since the last one (or whose rate has to fall back to zero).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::directory::NoDirectory;
use crate::names::{Answer, Names};
use crate::{
    ConnectionId, Counters, Degradation, Directory, InterfaceId, InterfaceReading, Observation,
    Owner, Pid, Process, ProcessId, SCHEMA_VERSION, Selection, Snapshot, SourceKind, TrafficKey,
};

mod account;
mod conversation;
mod device;
mod in_order;
mod interfaces;
mod pairs;
mod remotes;

use account::Account;
use conversation::{Conversation, Conversations};
use interfaces::Interfaces;
use pairs::Pairs;

/// What happens to processes and connections that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Those that are selected stay (`run`).
    Keep,
    /// They are shown as ended once, then leave the list; the totals keep them (`watch`).
    ShowOnce,
}

/// The running sum of everything observed.
#[derive(Debug)]
pub struct Ledger {
    source: SourceKind,
    retention: Retention,
    with_connections: bool,
    selection: Selection,
    accounts: BTreeMap<ProcessId, Account>,
    conversations: Conversations,
    /// Those of them that have ended since they were last cleared away.
    ended: BTreeSet<ConnectionId>,
    pairs: Pairs,
    names: Names,
    directory: Arc<dyn Directory>,
    /// What the directory had found out when all were last named.
    directory_revision: u64,
    interfaces: Interfaces,
    /// Selected processes that have left the accounts for good.
    departed: Counters,
    lost_events: u64,
    last_elapsed: Option<Duration>,
    kept: BTreeSet<ProcessId>,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(source: SourceKind, retention: Retention, with_connections: bool) -> Self {
        Self {
            source,
            retention,
            with_connections,
            selection: Selection::default(),
            accounts: BTreeMap::new(),
            conversations: Conversations::default(),
            ended: BTreeSet::new(),
            pairs: Pairs::default(),
            names: Names::new(),
            directory: Arc::new(NoDirectory),
            directory_revision: 0,
            interfaces: Interfaces::default(),
            departed: source.nothing_moved(),
            lost_events: 0,
            last_elapsed: None,
            kept: BTreeSet::new(),
        }
    }

    /// Asks `directory` about remotes and ports. Without one nothing is known of them but what
    /// [`Observation::Name`] says.
    #[must_use]
    pub fn with_directory(mut self, directory: Arc<dyn Directory>) -> Self {
        self.directory = directory;
        self
    }

    /// What the next snapshots show. What was counted before stays counted.
    pub fn select(&mut self, selection: Selection) {
        self.selection = selection;
        // Some of those that were kept may go.
        let ended = self.conversations.iter().filter(|(_, one)| one.has_ended());
        self.ended.extend(ended.map(|(id, _)| id));
        self.accounts.values_mut().for_each(Account::touch);
    }

    /// What snapshots show now.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Takes one observation in.
    pub fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Process(facts) => self.learn(facts),
            Observation::Exited { process, at } => {
                if let Some(account) = self.accounts.get_mut(&process) {
                    account.exit(at);
                }
            }
            Observation::Settled(process) => {
                if let Some(account) = self.accounts.get_mut(&process) {
                    account.settle();
                }
            }
            Observation::Traffic(key, delta) => self.charge(key, &delta),
            Observation::Connection(reading) => self.follow(&reading),
            Observation::Name {
                netns,
                address,
                name,
                at,
                asker,
            } => {
                if self.with_connections {
                    let answer = Answer { name, at, asker };
                    self.names.learn(netns, address, answer);
                }
            }
            Observation::LostEvents(count) => self.lost_events += count,
        }
    }

    /// Everything up to now.
    ///
    /// `interfaces` are fresh readings of the interfaces in [`Ledger::interfaces_to_read`], of which
    /// those without one are gone or out of reach; others keep the reading that they had.
    pub fn snapshot(
        &mut self,
        time: Timestamp,
        elapsed: Duration,
        interfaces: &[InterfaceReading],
        degradations: &Arc<[Degradation]>,
    ) -> Snapshot {
        self.ask_directory_again();
        let renamed = self.interfaces.read(interfaces, elapsed);
        let interval = elapsed.saturating_sub(self.last_elapsed.unwrap_or_default());
        self.last_elapsed = Some(elapsed);
        let mut totals = self.departed;
        let mut processes = Vec::with_capacity(self.accounts.len());
        let mut view = account::View {
            selection: &self.selection,
            interfaces: &self.interfaces,
            conversations: self.with_connections.then_some(&mut self.conversations),
            interval,
            renamed,
            zero: self.source.nothing_moved(),
        };
        for account in self.accounts.values_mut() {
            if !self.selection.takes(account.facts()) {
                continue;
            }
            let usage = account.usage(&mut view);
            totals += usage.counters;
            if account.is_listed() {
                processes.push(usage);
            }
        }
        let snapshot = Snapshot {
            schema: SCHEMA_VERSION,
            kind: "snapshot",
            time,
            elapsed,
            source: self.source,
            totals,
            processes,
            unattributed: self.interfaces.unattributed(&self.selection),
            interfaces: self.interfaces.summaries(&self.selection),
            lost_events: self.lost_events,
            degradations: Arc::clone(degradations),
        };
        self.retire(elapsed);
        snapshot
    }

    /// The interfaces that something was counted on since the last snapshot: a reading of each is
    /// wanted for the next.
    pub fn interfaces_to_read(&self) -> impl Iterator<Item = InterfaceId> + '_ {
        self.interfaces.to_read()
    }

    /// Whether anything is kept that was counted on it.
    #[must_use]
    pub fn counts_on(&self, interface: InterfaceId) -> bool {
        self.interfaces.contain(interface)
    }

    /// Keeps the numbers of this process when it has ended, whatever the retention.
    pub fn keep(&mut self, process: ProcessId) {
        self.kept.insert(process);
    }

    /// Undoes [`Ledger::keep`].
    pub fn release(&mut self, process: ProcessId) {
        self.kept.remove(&process);
    }

    /// The process that had this pid last.
    #[must_use]
    pub fn latest(&self, pid: Pid) -> Option<ProcessId> {
        let id = |start_boottime| ProcessId {
            pid,
            start_boottime,
        };
        self.accounts
            .range(id(0)..=id(u64::MAX))
            .next_back()
            .map(|(id, _)| *id)
    }

    /// What was moved by a process, interface by interface, whatever is selected.
    #[must_use]
    pub fn traffic_of(&self, process: ProcessId) -> Vec<(InterfaceId, Counters)> {
        self.accounts
            .get(&process)
            .map(Account::by_interface)
            .unwrap_or_default()
    }

    /// The facts known about a process.
    #[must_use]
    pub fn process(&self, process: ProcessId) -> Option<&Arc<Process>> {
        self.accounts.get(&process).map(Account::facts)
    }

    fn learn(&mut self, facts: Arc<Process>) {
        let id = facts.id;
        match self.accounts.get_mut(&id) {
            Some(account) => {
                if account.learn(facts) {
                    self.introduce(id);
                }
            }
            None => drop(self.accounts.insert(id, Account::new(facts))),
        }
    }

    fn charge(&mut self, key: TrafficKey, delta: &crate::Delta) {
        let zero = self.source.nothing_moved();
        self.interfaces.charge(&key, delta, zero);
        if let Owner::Process(id) = key.owner {
            let account = self.accounts.entry(id);
            // Facts may follow.
            let account = account.or_insert_with(|| Account::new(Process::new(id, "").into()));
            if account.charge(&key, delta, zero) {
                self.interfaces.add_row(key.interface);
            }
        }
    }

    /// Takes off the list what was shown as ended, and out of the books what is settled besides.
    fn retire(&mut self, now: Duration) {
        let keeps = self.retention == Retention::Keep;
        for id in std::mem::take(&mut self.ended) {
            let owner = self.conversations.get(id).and_then(Conversation::owner);
            let account = owner.and_then(|owner| self.accounts.get(&owner));
            // One that is kept is asked about again when something else is selected.
            if !(keeps && account.is_some_and(|one| self.selection.takes(one.facts()))) {
                self.forget(id);
            }
        }
        let selection = &self.selection;
        let departed = &mut self.departed;
        let kept = &self.kept;
        let interfaces = &mut self.interfaces;
        self.accounts.retain(|id, account| {
            if keeps && selection.takes(account.facts()) {
                return true;
            }
            let is_done = account.retire();
            if account.is_listed() || kept.contains(id) {
                return true;
            }
            account.let_go().for_each(|id| interfaces.drop_row(id));
            if is_done && selection.takes(account.facts()) {
                *departed += account.selected_total(selection);
            }
            !is_done
        });
        if !keeps {
            self.interfaces.retire(now, self.source.nothing_moved());
        }
    }
}

#[cfg(test)]
mod tests;
