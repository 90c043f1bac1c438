//! Adds portions up, level by level.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::portion::{Owner, Portion, portions};
use super::settle::settle;
use super::{Group, GroupBy, GroupKey};
use crate::{Counters, Rates, Snapshot};

/// Groups kept apart beside one another; whoever connects to us chooses how many there are.
const BESIDE: usize = 1 << 14;

/// One level's groups, by what they have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Level(BTreeMap<GroupKey, Node>);

#[derive(Clone, Debug)]
struct Node {
    label: String,
    /// Wraps below zero for a while; see [`super::portion`].
    counters: Counters,
    /// What of it came last.
    moved: Counters,
    rates: Rates,
    below: Level,
}

/// What of a node's rates is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// What the snapshot says of whole processes.
    OfProcesses,
    /// What came last, in so many seconds.
    Over(f64),
}

/// The groups of one snapshot.
pub(crate) fn group(snapshot: &Snapshot, by: &[GroupBy]) -> Vec<Group> {
    let mut level = Level::default();
    portions(snapshot, None, by, |portion| level.add(by, portion));
    level.groups(Pace::OfProcesses)
}

impl Level {
    /// Forgets what came last.
    pub(super) fn rest(&mut self) {
        for node in self.0.values_mut() {
            node.moved = Counters::ZERO;
            node.below.rest();
        }
    }

    /// Adds a portion where it belongs.
    pub(super) fn add(&mut self, by: &[GroupBy], portion: &Portion<'_>) {
        let Some((&first, rest)) = by.split_first() else {
            return;
        };
        match portion.owner {
            Owner::Process(_) => {
                let node = self.node(first, GroupKey::of(first, portion), portion);
                node.add(portion);
                node.below.add(rest, portion);
            }
            Owner::Ended => self.node(first, GroupKey::Ended, portion).add(portion),
            Owner::Unattributed(reason) => {
                let node = self.node(first, GroupKey::Unattributed, portion);
                node.add(portion);
                let key = GroupKey::Reason(reason);
                let node = node.below.node(first, key, portion);
                node.add(portion);
                if by.contains(&GroupBy::Interface) {
                    let by = GroupBy::Interface;
                    let key = GroupKey::of(by, portion);
                    node.below.node(by, key, portion).add(portion);
                }
            }
        }
    }

    /// The node of this key; `portion` tells what it is called.
    fn node(&mut self, by: GroupBy, key: GroupKey, portion: &Portion<'_>) -> &mut Node {
        let is_full = self.0.len() >= BESIDE && key.is_named() && !self.0.contains_key(&key);
        let key = if is_full { GroupKey::Others(by) } else { key };
        match self.0.entry(key) {
            Entry::Vacant(place) => {
                let label = place.key().label(portion).into_owned();
                place.insert(Node::new(label))
            }
            Entry::Occupied(mut place) => {
                if place.key().may_be_renamed_by(portion) {
                    let label = place.key().label(portion);
                    if place.get().label != *label {
                        place.get_mut().label = label.into_owned();
                    }
                }
                place.into_mut()
            }
        }
    }

    /// The groups, most wire bytes first, those without a name last.
    pub(super) fn groups(&self, pace: Pace) -> Vec<Group> {
        let mut groups: Vec<Group> = self
            .0
            .iter()
            .map(|(key, node)| node.group(key, pace))
            .collect();
        let total = groups.iter().map(|group| &group.counters).sum();
        settle(&mut groups, &total);
        order(&mut groups);
        groups
    }
}

impl Node {
    fn new(label: String) -> Self {
        Self {
            label,
            counters: Counters::ZERO,
            moved: Counters::ZERO,
            rates: Rates {
                sent: Some(0.0),
                recv: Some(0.0),
            },
            below: Level::default(),
        }
    }

    fn add(&mut self, portion: &Portion<'_>) {
        self.counters += portion.moved;
        self.moved += portion.moved;
        let sum = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        self.rates = Rates {
            sent: sum(self.rates.sent, portion.rates.sent),
            recv: sum(self.rates.recv, portion.rates.recv),
        };
    }

    fn group(&self, key: &GroupKey, pace: Pace) -> Group {
        let below = self.below.0.iter();
        Group {
            key: key.clone(),
            label: self.label.clone(),
            counters: self.counters,
            rates: match pace {
                Pace::OfProcesses => self.rates,
                Pace::Over(seconds) => Rates::over(&above_zero(self.moved), seconds),
            },
            groups: below.map(|(key, node)| node.group(key, pace)).collect(),
        }
    }
}

fn order(groups: &mut [Group]) {
    groups.sort_by_key(|group| (!group.key.is_named(), Reverse(group.counters.bytes_total())));
    for group in groups {
        order(&mut group.groups);
    }
}

fn above_zero(counters: Counters) -> Counters {
    counters.combine(
        &counters,
        |value, _| {
            if value.cast_signed() < 0 { 0 } else { value }
        },
    )
}
