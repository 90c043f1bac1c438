//! What a run came to: the tree's part of a snapshot, and the facts that stand beside it.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use netprocmon::{Counters, Filter, Group, Pid, Rates, Snapshot};
use serde::Serialize;

pub(crate) use super::budget::{Limit, Spent};
pub(crate) use super::child::Ending;

/// Everything about a run that is not a counter.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    /// The program and its arguments.
    pub(crate) command: &'a [OsString],
    /// How it ended.
    pub(crate) ending: Ending,
    /// From its start to its end; descendants may have lived longer.
    pub(crate) wall: Duration,
    /// `None` without a budget.
    pub(crate) spent: Option<Spent>,
    /// Descendants that were not waited for.
    pub(crate) still_running: Vec<Pid>,
    /// What the whole tree moved, whatever is shown of it; the budget is on this.
    pub(crate) moved: Counters,
    /// `None` where everything is shown.
    pub(crate) filter: Option<&'a Filter>,
    /// `None` where processes are shown.
    pub(crate) groups: Option<Vec<Group>>,
}

/// The snapshot with nothing in its list and totals but the tree with this root.
pub(crate) fn of_tree(snapshot: &Snapshot, root: Pid) -> Snapshot {
    let mut tree = snapshot.clone();
    tree.kind = "run";
    tree.processes
        .retain(|usage| usage.process.tree == Some(root));
    tree.totals = snapshot.source.nothing_moved();
    for usage in &tree.processes {
        tree.totals += usage.counters;
    }
    tree
}

/// What a filter takes of a tree, for the report: the interval that its rates are over is the run.
pub(crate) fn of_run(tree: &Snapshot, filter: &Filter, wall: Duration) -> Snapshot {
    let mut tree = tree.filter(filter);
    for usage in &mut tree.processes {
        let rates = Rates::over(&usage.counters, wall.as_secs_f64());
        Arc::make_mut(usage).rates = rates;
    }
    tree
}

/// The contract's `run` object.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    command: Vec<String>,
    exit_status: Option<u8>,
    signal: Option<u8>,
    wall_seconds: f64,
    budget: Option<&'a Spent>,
    still_running: &'a [Pid],
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a Filter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'a [Group]>,
}

/// A run as one JSON object. `tree` is what [`of_tree`] made; one of `exit_status` and `signal` is
/// `null`.
pub(crate) fn line<'a>(tree: &'a Snapshot, outcome: &'a Outcome<'_>) -> impl Serialize + 'a {
    let (exit_status, signal) = match outcome.ending {
        Ending::Exited(code) => (Some(code), None),
        Ending::Signalled(number) => (None, Some(number)),
    };
    let words = outcome.command.iter();
    Line {
        snapshot: tree,
        command: words
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        exit_status,
        signal,
        wall_seconds: outcome.wall.as_secs_f64(),
        budget: outcome.spent.as_ref(),
        still_running: &outcome.still_running,
        filter: outcome.filter,
        groups: outcome.groups.as_deref(),
    }
}
