//! Which rows: one filter language for the library, the command line and every front end.
//!
//! ```text
//! curl                                 name, command, script, unit, container, pod or remote contains it
//! name:serv  user=www  exe~^/opt/      contains, is exactly, matches a regular expression
//! sent>10M  rate>=1Mi/s  age<5m        sizes, rates, durations
//! remote=*.example.com  remote=10.0.0.0/8  port=https
//! (unit=nginx or container:web) and not scope=loopback
//! ```
//!
//! `not` (or `!`) binds closer than `and` (or a space), `and` closer than `or`. Text comparisons
//! with `:` and bare words ignore case; `=` and `~` do not. `docs/filter.md` is the whole manual:
//! grammar, every field, limits.
//!
//! # What a term is about
//!
//! A filter that asks about processes only keeps their rows whole. One that asks about connections
//! (`remote`, `port`, `state`, …) is asked of each connection, with the facts of its process, and
//! **recounts** the rows from those that match: the process's counters, interfaces and protocols
//! are their sums, and a process without any goes. `interface` and `netns` alone recount from the
//! exact interface rows, `protocol` alone from the protocol rows; both together can only be told
//! from connections. What no connection explains (packets of a raw socket, a connection that has
//! left the list) is then in no row, whether or not the filter is negated.
//!
//! Sizes and `age` are those of what the filter is asked of: the process, its share of an
//! interface or a protocol, or the connection. `rate` is always the process's.
//!
//! **What is not known matches no term**, `!=` included; so `not` of a term does match it. Bytes
//! that no process is charged with have a reason, an interface and sizes; all else about them is
//! not known.
//!
//! A filter does no I/O and asks nobody; text of at most 16 KiB costs a bounded time to parse and
//! to apply, whatever is in it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

mod error;
mod evaluate;
mod facts;
mod field;
mod lexer;
mod matcher;
mod parse;
mod pattern;
mod recount;
mod syntax;
mod value;
mod view;

pub use error::FilterError;
pub use view::FilterView;

use field::About;
use recount::Basis;
use syntax::Expression;

use crate::Snapshot;

/// A filter, parsed. Cheap to clone; the default takes everything. Printing it gives a text that
/// parses to the same filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `None` takes everything.
    expression: Option<Arc<Expression>>,
    basis: Basis,
    has_words: bool,
}

impl Filter {
    /// Whether everything is taken: nothing was asked.
    #[must_use]
    pub fn takes_everything(&self) -> bool {
        self.expression.is_none()
    }

    /// Whether parts of rows are taken, rather than whole processes.
    #[must_use]
    pub fn recounts(&self) -> bool {
        self.basis != Basis::Processes
    }

    /// Whether rows are recounted from connections that match, so that what moved over others is
    /// left out.
    #[must_use]
    pub fn recounts_connections(&self) -> bool {
        self.basis == Basis::Connections
    }

    /// Whether the snapshots must have connections for it to find all that it can: it asks about
    /// them, or it has a bare word, which is looked for in the names of remotes too.
    #[must_use]
    pub fn needs_connections(&self) -> bool {
        self.recounts_connections() || self.has_words
    }

    /// What it takes of one snapshot.
    pub(crate) fn apply(&self, snapshot: &Snapshot) -> Snapshot {
        recount::filtered(snapshot, self, None, &BTreeMap::new())
    }

    fn of(expression: Expression) -> Self {
        let mut has_words = false;
        let mut abouts = Vec::new();
        expression.terms(&mut |term| match term.field {
            Some(field) => abouts.push(field.about()),
            None => has_words = true,
        });
        let has = |about| abouts.contains(&about);
        let basis = match (has(About::Interface), has(About::Protocol)) {
            _ if has(About::Connection) => Basis::Connections,
            (true, true) => Basis::Connections,
            (true, false) => Basis::Interfaces,
            (false, true) => Basis::Protocols,
            (false, false) => Basis::Processes,
        };
        Self {
            expression: Some(Arc::new(expression)),
            basis,
            has_words,
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    /// Parses a text; one without anything in it takes everything.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        Ok(parse::parse(text)?.map_or_else(Self::default, Self::of))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.iter().try_for_each(|all| all.fmt(f))
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
