//! The order of rows, made so that a row does not jump while one reads.
//!
//! Rates change every second. A row is moved by its rate only when that has left the one it was
//! last placed by for good (by a fifth); rows with equal rates stand by their totals, which only
//! grow. A frozen order does not change at all; what is new comes below.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::rows::{Ordered, Row, RowId, Subject, Worth};
use crate::settings::{ColumnId, Flow};

/// What a rate may change before its row may move.
const SLACK: f64 = 0.2;

/// Whether rows may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Motion {
    #[default]
    Free,
    Frozen,
}

/// The order that rows had the last time.
#[derive(Debug, Default)]
pub(crate) struct Order {
    known: HashMap<RowId, Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    rate: f64,
    position: usize,
}

struct Placing {
    worth: Worth,
    total: Worth,
    is_rest: bool,
    position: Option<usize>,
}

impl Order {
    /// Forgets it, for another column or view.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }

    /// Puts rows into order.
    pub(crate) fn arrange(
        &mut self,
        rows: Vec<Row>,
        by: ColumnId,
        way: Ordered,
        flow: Flow,
        motion: Motion,
    ) -> Vec<Row> {
        let is_rate = matches!(by, ColumnId::Rate | ColumnId::SentRate | ColumnId::RecvRate);
        let mut placings: Vec<(Placing, Row)> = rows
            .into_iter()
            .map(|row| {
                let held = self.known.get(&row.id);
                let worth = match (row.worth(by, flow), held) {
                    (Worth::Number(rate), Some(held)) if is_rate => Worth::Number(held.still(rate)),
                    (worth, _) => worth,
                };
                let placing = Placing {
                    worth,
                    total: row.worth(ColumnId::Total, flow),
                    is_rest: row.is_rest(),
                    position: held.map(|held| held.position),
                };
                (placing, row)
            })
            .collect();
        let turned = |order: Ordering| match way {
            Ordered::Usual => order,
            Ordered::Reversed => order.reverse(),
        };
        placings.sort_by(|(a, _), (b, _)| {
            let kept = match motion {
                Motion::Frozen => known_first(a.position, b.position),
                Motion::Free => Ordering::Equal,
            };
            kept.then(a.is_rest.cmp(&b.is_rest))
                .then_with(|| turned(a.worth.compare(&b.worth)))
                .then_with(|| a.total.compare(&b.total))
                .then_with(|| known_first(a.position, b.position))
        });
        self.known.clear();
        let mut rows = Vec::with_capacity(placings.len());
        for (position, (placing, row)) in placings.into_iter().enumerate() {
            let rate = match placing.worth {
                Worth::Number(rate) => rate,
                Worth::Text(_) => 0.0,
            };
            self.known.insert(row.id.clone(), Held { rate, position });
            rows.push(row);
        }
        rows
    }
}

impl Held {
    /// The rate to be placed by.
    fn still(&self, rate: f64) -> f64 {
        let is_near = (rate - self.rate).abs() <= self.rate.abs() * SLACK;
        if is_near && rate > 0.0 {
            self.rate
        } else {
            rate
        }
    }
}

fn known_first(a: Option<usize>, b: Option<usize>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// Puts children behind their parents, each level in the order that the rows have; a tree stands
/// where the first of its members would.
pub(crate) fn as_tree(rows: Vec<Row>) -> Vec<Row> {
    let mut by_pid: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        if let Subject::Process(usage) = &row.subject {
            by_pid.entry(usage.process.pid).or_default().push(index);
        }
    }
    let start = |index: usize| match &rows[index].subject {
        Subject::Process(usage) => usage.process.id.start_boottime,
        _ => u64::MAX,
    };
    // The nearest of those above it that has a row: a shell between them has none. By pid, and of
    // several with one pid the last that started before it: starts from `/proc` are rounded.
    let parent = |index: usize| -> Option<usize> {
        let Subject::Process(usage) = &rows[index].subject else {
            return None;
        };
        let before = |above: netprocmon::Pid| {
            let with_pid = by_pid.get(&above)?.iter().copied();
            let earlier = with_pid.filter(|found| start(*found) < start(index));
            earlier.max_by_key(|found| start(*found))
        };
        let above = usage.process.parents.iter().map(|one| one.pid);
        above.chain(usage.process.ppid).find_map(before)
    };
    let parents: Vec<Option<usize>> = (0..rows.len()).map(parent).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let mut roots = Vec::new();
    let mut seen = vec![false; rows.len()];
    for index in 0..rows.len() {
        if let Some(parent) = parents[index] {
            children[parent].push(index);
        }
        // Parents started earlier, so this ends.
        let mut root = index;
        while let Some(parent) = parents[root] {
            root = parent;
        }
        if !std::mem::replace(&mut seen[root], true) {
            roots.push(root);
        }
    }
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(rows.len());
    let mut next: Vec<(usize, usize, bool)> =
        roots.iter().rev().map(|&at| (at, 0, false)).collect();
    while let Some((at, depth, last)) = next.pop() {
        if let Some(row) = rows[at].take() {
            ordered.push(Row { depth, last, ..row });
        }
        let below = children[at].iter().enumerate().rev();
        let count = children[at].len();
        next.extend(below.map(|(number, &child)| (child, depth + 1, number + 1 == count)));
    }
    ordered
}
