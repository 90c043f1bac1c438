//! Groups as an indented table: a row each, those inside it below it.

use std::cmp::Reverse;

use netprocmon::units::Units;
use netprocmon::{Counters, Group, GroupKey};

use super::Terminal;
use super::sums::{self, rate};
use super::table::{Cell, Column, Table};
use crate::flags::typed::Sort;

/// Rows of a report; the rest are counted.
const SHOWN: usize = 100;

/// What moved in the last interval and since the start; no more rows than `room`.
pub(crate) fn rates(
    groups: &[Group],
    room: Option<usize>,
    units: Units,
    terminal: Terminal,
) -> String {
    let mut table = Table::new([
        Column::text("GROUP").shrinks_to(12),
        Column::number("SENT/S"),
        Column::number("RECV/S"),
        Column::number("SENT"),
        Column::number("RECV"),
        Column::number("PAYLOAD TX").leaves(1),
        Column::number("PAYLOAD RX").leaves(1),
    ]);
    let mut rows = Vec::new();
    flatten(groups, 0, &mut rows);
    let room = room.unwrap_or(usize::MAX);
    for (depth, group) in rows.iter().take(room) {
        let counters = &group.counters;
        let cells = [
            label(*depth, group),
            units.rate(group.rates.sent).into(),
            units.rate(group.rates.recv).into(),
            units.size(counters.bytes_sent).into(),
            units.size(counters.bytes_recv).into(),
            units.size(counters.payload_sent).into(),
            units.size(counters.payload_recv).into(),
        ];
        add(&mut table, group, cells);
    }
    let mut text = table.render(terminal);
    text.extend(more(rows.len(), room, terminal));
    text
}

/// What moved in a run, and its sum.
pub(crate) fn totals(groups: &[Group], sum: &Counters, units: Units, terminal: Terminal) -> String {
    let mut table = sums::table(Column::text("GROUP").shrinks_to(12));
    let mut rows = Vec::new();
    flatten(groups, 0, &mut rows);
    for (depth, group) in rows.iter().take(SHOWN) {
        add(
            &mut table,
            group,
            sums::row(label(*depth, group), &group.counters, units),
        );
    }
    table.total(sums::row("total".into(), sum, units));
    let mut text = table.render(terminal);
    text.extend(more(rows.len(), SHOWN, terminal));
    text
}

/// Orders the groups of each level; those that only make the sums whole stay last.
pub(crate) fn sort(groups: &mut [Group], key: Sort) {
    match key {
        Sort::Pid => groups.sort_by(|a, b| a.key.cmp(&b.key)),
        Sort::Name => groups.sort_by(|a, b| a.label.cmp(&b.label)),
        Sort::Sent => groups.sort_by_key(|group| Reverse(group.counters.bytes_sent)),
        Sort::Recv => groups.sort_by_key(|group| Reverse(group.counters.bytes_recv)),
        Sort::Total => groups.sort_by_key(|group| Reverse(group.counters.bytes_total())),
        Sort::Rate => groups.sort_by(|a, b| rate(&b.rates).total_cmp(&rate(&a.rates))),
    }
    groups.sort_by_key(|group| !group.key.is_named());
    for group in groups {
        sort(&mut group.groups, key);
    }
}

/// Those in which anything was moved, with how deep they are.
fn flatten<'a>(groups: &'a [Group], depth: usize, rows: &mut Vec<(usize, &'a Group)>) {
    for group in groups.iter().filter(|group| !group.counters.is_zero()) {
        rows.push((depth, group));
        flatten(&group.groups, depth + 1, rows);
    }
}

/// `  curl (586)`, two spaces a level.
fn label(depth: usize, group: &Group) -> Cell {
    let indent = "  ".repeat(depth);
    let label = &group.label;
    Cell::outside(&match group.key {
        GroupKey::Process(id) => format!("{indent}{label} ({})", id.pid),
        GroupKey::Tree(root) if *label != format!("pid {root}") => {
            format!("{indent}{label} ({root})")
        }
        _ => format!("{indent}{label}"),
    })
}

fn add<const N: usize>(table: &mut Table<N>, group: &Group, cells: [Cell; N]) {
    if group.key.is_named() {
        table.row(cells);
    } else {
        table.aside(cells);
    }
}

fn more(rows: usize, room: usize, terminal: Terminal) -> Option<String> {
    let left = rows.saturating_sub(room);
    let text = format!("and {left} more");
    (left > 0).then(|| format!("{}\n", terminal.style.quiet(&text)))
}

#[cfg(test)]
mod tests {
    use netprocmon::GroupBy;

    use super::super::tests::snapshot;
    use super::super::{Style, Terminal};
    use super::*;

    fn at(columns: usize) -> Terminal {
        Terminal {
            size: Some((columns, 24)),
            style: Style::Plain,
        }
    }

    #[test]
    fn indented_and_escaped() {
        let groups = snapshot().group_by(&[GroupBy::Name, GroupBy::Remote]);
        let text = rates(&groups, None, Units::default(), Terminal::NONE);
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{text:?}"
        );
        insta::assert_snapshot!("group_rates", text);
        let text = totals(&groups, &snapshot().totals, Units::default(), at(60));
        insta::assert_snapshot!("group_totals_60", text);
        let short = rates(&groups, Some(2), Units::default(), at(80));
        assert!(short.ends_with(" more\n"), "{short}");
    }
}
