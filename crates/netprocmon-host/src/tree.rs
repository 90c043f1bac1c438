//! Followed trees of processes, for sources that are not told of forks in the kernel's own tables:
//! who belongs to one.
//!
//! With the kernel's events a child is a member from its fork on, whatever becomes of its parent.
//! Without them the parents of a process that is met are followed up, for as long as they live: one
//! whose parent ended before it was met is missed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use netprocmon_model::Pid;

use crate::process;

/// Nobody's ancestors are more.
const MOST_ANCESTORS: usize = 64;

/// A followed tree, as its maker numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeNumber(pub u32);

/// All that one source follows.
#[derive(Clone, Debug, Default)]
pub struct Trees {
    opened: u32,
    roots: BTreeMap<TreeNumber, Pid>,
    members: HashMap<Pid, TreeNumber>,
    /// Whether the kernel tells who forks.
    has_events: bool,
}

impl Trees {
    /// None. `has_events`: whether [`fork`](Self::fork) is told of every fork; without, parents are
    /// followed up.
    #[must_use]
    pub fn new(has_events: bool) -> Self {
        Self {
            has_events,
            ..Self::default()
        }
    }

    /// Whether nothing is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members of all trees, the dead among them that nobody has told of.
    pub fn pids(&self) -> impl Iterator<Item = Pid> + '_ {
        self.members.keys().copied()
    }

    /// A new tree, without members.
    pub fn open(&mut self) -> TreeNumber {
        self.opened += 1;
        TreeNumber(self.opened)
    }

    /// Shows the members as belonging to `root`, which is one.
    pub fn name(&mut self, tree: TreeNumber, root: Pid) {
        self.roots.insert(tree, root);
        self.members.insert(root, tree);
    }

    /// Adds a living process.
    pub fn join(&mut self, tree: TreeNumber, member: Pid) {
        self.members.insert(member, tree);
    }

    /// Takes a process out of whatever tree it is in; its children stay.
    pub fn leave(&mut self, member: Pid) {
        self.members.remove(&member);
    }

    /// A process has begun.
    pub fn fork(&mut self, parent: Pid, child: Pid) {
        match self.members.get(&parent) {
            Some(tree) => {
                self.members.insert(child, *tree);
            }
            // A pid that is given again.
            None => drop(self.members.remove(&child)),
        }
    }

    /// The root that a process is shown to belong to, by its own membership or its parents'.
    pub fn root_of(&mut self, pid: Pid, parent: Option<Pid>) -> Option<Pid> {
        (!self.members.is_empty()).then_some(())?;
        let tree = match self.members.get(&pid) {
            Some(tree) => *tree,
            None if self.has_events => return None,
            None => {
                let tree = self.tree_of_ancestors(parent?)?;
                self.members.insert(pid, tree);
                tree
            }
        };
        self.roots.get(&tree).copied()
    }

    fn tree_of_ancestors(&self, mut pid: Pid) -> Option<TreeNumber> {
        for _ in 0..MOST_ANCESTORS {
            if let Some(tree) = self.members.get(&pid) {
                return Some(*tree);
            }
            pid = process::parent(pid).filter(|parent| parent.0 > 1)?;
        }
        None
    }

    /// Looks for descendants that nobody has told of, where the kernel does not.
    pub fn look(&mut self) {
        if self.has_events {
            return;
        }
        self.members.retain(|pid, _| process::exists(*pid));
        let mut to_ask: Vec<_> = self
            .members
            .iter()
            .map(|(pid, tree)| (*pid, *tree))
            .collect();
        while let Some((parent, tree)) = to_ask.pop() {
            let children = process::children(parent);
            for child in children.unwrap_or_else(|| process::descendants(parent)) {
                if let Entry::Vacant(new) = self.members.entry(child) {
                    new.insert(tree);
                    to_ask.push((child, tree));
                }
            }
        }
    }

    /// The members that live.
    #[must_use]
    pub fn members(&self, tree: TreeNumber) -> Vec<Pid> {
        let all = self.members.iter().filter(|(_, number)| **number == tree);
        let living: BTreeSet<_> = all
            .map(|(pid, _)| *pid)
            .filter(|pid| process::exists(*pid))
            .collect();
        living.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_belongs_to_the_tree_and_a_pid_that_is_given_again_does_not() {
        let mut trees = Trees::new(true);
        let tree = trees.open();
        let (here, root, child) = (Pid(10), Pid(11), Pid(12));
        trees.join(tree, here);
        trees.fork(here, root);
        trees.leave(here);
        trees.name(tree, root);
        trees.fork(root, child);
        assert_eq!(trees.root_of(child, Some(Pid(1))), Some(root));
        assert_eq!(trees.root_of(here, None), None);
        trees.fork(Pid(99), child);
        assert_eq!(trees.root_of(child, Some(root)), None);
    }

    #[test]
    fn without_events_children_are_found_and_stay_when_they_are_orphans() {
        let mut trees = Trees::new(false);
        let tree = trees.open();
        // What it started ends with our end of the pipe; a shell gives it no input of its own.
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "exec 3<&0; cat <&3 & echo $!; read -r line"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = shell.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
        let child = Pid(line.trim().parse().unwrap());
        trees.name(tree, Pid(shell.id()));
        trees.look();
        let found = trees.members(tree);
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert!(found.contains(&child), "{found:?}");
        trees.look();
        assert!(!trees.members(tree).contains(&Pid(shell.id())));
    }

    #[test]
    fn without_events_the_parents_are_followed_up() {
        let mut trees = Trees::new(false);
        let tree = trees.open();
        let here = Pid(std::process::id());
        let parent = process::parent(here).unwrap();
        trees.name(tree, parent);
        assert_eq!(trees.root_of(here, Some(parent)), Some(parent));
        assert_eq!(trees.root_of(Pid(u32::MAX), Some(Pid(1))), None);
    }
}
