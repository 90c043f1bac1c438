//! Whether a filter takes a row. What is asked about a process is looked up once for all its rows.

use std::cell::Cell;

use super::Filter;
use super::facts::{Row, process_passes};
use super::field::{About, Field};
use super::syntax::{Expression, Operator, Term};
use crate::ProcessId;

/// Asks a filter about the rows of one snapshot.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    expression: Option<&'a Expression>,
    /// Whether rows are connections: then a bare word asks about this one's remote, else about
    /// any of the process's.
    by_connection: bool,
    /// What was found for the process at hand, by term.
    known: Vec<Cell<Option<bool>>>,
    process: Cell<Option<ProcessId>>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(filter: &'a Filter, by_connection: bool) -> Self {
        let expression = filter.expression.as_deref();
        let mut count = 0;
        if let Some(expression) = expression {
            expression.terms(&mut |term| count = count.max(term.index + 1));
        }
        Self {
            expression,
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
                let root = term.test.pid();
                row.process
                    .zip(root)
                    .is_some_and(|(usage, root)| usage.process.is_in_tree(root) != negated)
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
