//! Whether a filter takes a row. What is asked about a process is looked up once for all its rows.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::Filter;
use super::facts::{Row, process_passes};
use super::field::{About, Field};
use super::syntax::{Expression, Operator, Term};
use crate::{Pid, ProcessId, Snapshot};

/// Asks a filter about the rows of one snapshot.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    expression: Option<&'a Expression>,
    trees: BTreeMap<Pid, HashSet<ProcessId>>,
    /// Whether rows are connections: then a bare word asks about this one's remote, else about
    /// any of the process's.
    by_connection: bool,
    /// What was found for the process at hand, by term.
    known: Vec<Cell<Option<bool>>>,
    process: Cell<Option<ProcessId>>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(filter: &'a Filter, snapshot: &Snapshot, by_connection: bool) -> Self {
        let expression = filter.expression.as_deref();
        let mut count = 0;
        if let Some(expression) = expression {
            expression.terms(&mut |term| count = count.max(term.index + 1));
        }
        Self {
            expression,
            trees: trees(snapshot, filter.trees()),
            by_connection,
            known: vec![Cell::new(None); count],
            process: Cell::new(None),
        }
    }

    /// Whether the filter takes this row.
    pub(super) fn takes(&self, row: &Row<'_>) -> bool {
        let process = row.process.map(|usage| usage.process.id);
        if self.process.replace(process) != process || process.is_none() {
            self.known.iter().for_each(|known| known.set(None));
        }
        self.expression.is_none_or(|all| self.holds(all, row))
    }

    /// As deep as the parser lets an expression be.
    fn holds(&self, expression: &Expression, row: &Row<'_>) -> bool {
        match expression {
            Expression::Term(term) => self.term(term, row),
            Expression::Not(inner) => !self.holds(inner, row),
            Expression::And(parts) => parts.iter().all(|part| self.holds(part, row)),
            Expression::Or(parts) => parts.iter().any(|part| self.holds(part, row)),
        }
    }

    fn term(&self, term: &Term, row: &Row<'_>) -> bool {
        let negated = term.operator == Operator::NotEqual;
        match term.field {
            None => {
                let called = self.once(term, || self.is_called(term, row));
                called || (self.by_connection && row.remote_passes(&term.test))
            }
            Some(Field::Tree) => self.once(term, || {
                let id = row.process.map(|usage| usage.process.id);
                let trees = self.trees.iter();
                id.is_some_and(|id| {
                    let mut mine = trees.filter(|(_, members)| members.contains(&id));
                    mine.any(|(root, _)| term.test.takes_number(root.0.into())) != negated
                })
            }),
            Some(field) if field.about() == About::Process => {
                self.once(term, || row.passes(field, &term.test, negated))
            }
            Some(field) => row.passes(field, &term.test, negated),
        }
    }

    fn is_called(&self, term: &Term, row: &Row<'_>) -> bool {
        let Some(usage) = row.process else {
            return false;
        };
        let connections = usage.connections.iter().flatten();
        let mut connections = connections.filter(|_| !self.by_connection);
        process_passes(&usage.process, &term.test)
            || connections.any(|one| {
                let connection = Some(&**one);
                Row { connection, ..*row }.remote_passes(&term.test)
            })
    }

    fn once(&self, term: &Term, find: impl FnOnce() -> bool) -> bool {
        let Some(known) = self.known.get(term.index) else {
            return find();
        };
        let found = known.get().unwrap_or_else(find);
        known.set(Some(found));
        found
    }
}

/// The processes of each tree: those that were followed as one, those with the root's pid, and all
/// below them by their parents' pids. A pid was a parent's only if that started first.
fn trees(snapshot: &Snapshot, roots: Vec<Pid>) -> BTreeMap<Pid, HashSet<ProcessId>> {
    if roots.is_empty() {
        return BTreeMap::new();
    }
    let mut children: HashMap<Pid, Vec<ProcessId>> = HashMap::new();
    for usage in &snapshot.processes {
        if let Some(parent) = usage.process.ppid {
            children.entry(parent).or_default().push(usage.process.id);
        }
    }
    let tree = |root: Pid| {
        let is_root = |pid: Pid| pid == root;
        let all = snapshot.processes.iter().map(|usage| &usage.process);
        let mut found: Vec<ProcessId> = all
            .filter(|process| {
                let parent = process.ppid.filter(|_| process.pid.0 != 0);
                is_root(process.pid)
                    || process.tree.is_some_and(is_root)
                    || parent.is_some_and(is_root)
            })
            .map(|process| process.id)
            .collect();
        let mut members: HashSet<ProcessId> = found.iter().copied().collect();
        while let Some(parent) = found.pop() {
            for child in children.get(&parent.pid).into_iter().flatten() {
                if child.start_boottime >= parent.start_boottime && members.insert(*child) {
                    found.push(*child);
                }
            }
        }
        members
    };
    roots.into_iter().map(|root| (root, tree(root))).collect()
}
