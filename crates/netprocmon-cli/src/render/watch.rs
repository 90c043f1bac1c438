//! The tables of `watch`: one a sample on a terminal, plain rows with their time elsewhere.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;

use netprocmon::text::{escape, width};
use netprocmon::units::{self, Units};
use netprocmon::{ProcessUsage, Shown, Snapshot};

use super::sums::{self, rate};
use super::table::{Cell, Column, Table};
use super::{Terminal, connection, group};
use crate::flags::meaning::WatchPlan;
use crate::flags::typed::Sort;

/// Lines of a block that are not rows: its heading, the table's head, "and N more", a blank one.
const AROUND: usize = 5;

/// One sample.
pub(crate) fn sample(sample: &Shown, plan: &WatchPlan, terminal: Terminal) -> String {
    let snapshot = &*sample.snapshot;
    if let Some(groups) = &sample.groups {
        let mut text = heading(snapshot, plan.units, terminal);
        let mut groups = groups.clone();
        group::sort(&mut groups, plan.sort.unwrap_or(Sort::Rate));
        let room = terminal
            .rows()
            .map(|rows| rows.saturating_sub(AROUND).max(3));
        text.push_str(&group::rates(&groups, room, plan.units, terminal));
        text.push('\n');
        return text;
    }
    let mut shown = snapshot.processes.clone();
    if !plan.is_selective() {
        shown.retain(is_active);
    }
    sort(&mut shown, plan.sort.unwrap_or(Sort::Rate));
    match terminal.rows() {
        Some(rows) => block(snapshot, &shown, plan.units, terminal, rows),
        None => rows_with_time(snapshot, &shown, plan.units),
    }
}

/// The head of the rows that [`sample`] gives where there is no terminal.
pub(crate) fn head(terminal: Terminal) -> Option<String> {
    const HEADS: [&str; 9] = [
        "TIME",
        "PID",
        "PROCESS",
        "SENT/S",
        "RECV/S",
        "SENT",
        "RECV",
        "PAYLOAD TX",
        "PAYLOAD RX",
    ];
    terminal
        .size
        .is_none()
        .then(|| plain_row(&HEADS.map(ToOwned::to_owned), "STATE"))
}

/// The sums at the end.
pub(crate) fn totals(snapshot: &Snapshot, units: Units, terminal: Terminal) -> String {
    let mut table = sums::table(Column::text("TOTAL").shrinks_to(10));
    let row = |head: &str, counters| sums::row(Cell::outside(head), counters, units);
    let head = format!("in {}", units::duration(snapshot.elapsed));
    table.total(row(&head, &snapshot.totals));
    for usage in &snapshot.unattributed {
        let interface = usage.interface_name.as_deref().unwrap_or(units::UNKNOWN);
        let head = format!("no process: {}, {interface}", usage.reason.name());
        table.aside(row(&head, &usage.counters));
    }
    table.render(terminal)
}

/// Orders rows; equals by pid and start.
pub(crate) fn sort(processes: &mut [Arc<ProcessUsage>], key: Sort) {
    processes.sort_by_key(|usage| usage.process.id);
    match key {
        Sort::Pid => {}
        Sort::Name => processes.sort_by(|a, b| a.process.name.cmp(&b.process.name)),
        Sort::Sent => processes.sort_by_key(|usage| Reverse(usage.counters.bytes_sent)),
        Sort::Recv => processes.sort_by_key(|usage| Reverse(usage.counters.bytes_recv)),
        Sort::Total => processes.sort_by_key(|usage| Reverse(usage.counters.bytes_total())),
        Sort::Rate => processes.sort_by(|a, b| rate(&b.rates).total_cmp(&rate(&a.rates))),
    }
}

/// Whether anything can have happened to it in the last interval.
fn is_active(usage: &Arc<ProcessUsage>) -> bool {
    let still = |rate: Option<f64>| rate == Some(0.0);
    let idle = still(usage.rates.sent) && still(usage.rates.recv);
    !idle && !usage.counters.is_zero()
}

fn block(
    snapshot: &Snapshot,
    shown: &[Arc<ProcessUsage>],
    units: Units,
    terminal: Terminal,
    rows: usize,
) -> String {
    let mut table = Table::new([
        Column::number("PID"),
        Column::text("PROCESS").shrinks_to(10),
        Column::text("USER").leaves(3),
        Column::number("SENT/S"),
        Column::number("RECV/S"),
        Column::number("SENT").leaves(2),
        Column::number("RECV").leaves(2),
        Column::text("STATE").leaves(1),
    ]);
    let room = rows.saturating_sub(AROUND).max(3);
    for usage in shown.iter().take(room) {
        table.row([
            usage.process.pid.to_string().into(),
            Cell::outside(&usage.process.name),
            super::ps::user(usage.process.user.as_deref(), usage.process.uid),
            units.rate(usage.rates.sent).into(),
            units.rate(usage.rates.recv).into(),
            units.size(usage.counters.bytes_sent).into(),
            units.size(usage.counters.bytes_recv).into(),
            state(usage).into(),
        ]);
        for line in connections(usage, units) {
            table.line(&line);
        }
    }
    let mut text = heading(snapshot, units, terminal);
    text.push_str(&table.render(terminal));
    if shown.len() > room {
        let more = format!("and {} more", shown.len() - room);
        text.push_str(&terminal.style.quiet(&more));
        text.push('\n');
    }
    text.push('\n');
    text
}

/// When it was, and the sums so far.
fn heading(snapshot: &Snapshot, units: Units, terminal: Terminal) -> String {
    let totals = &snapshot.totals;
    let heading = format!(
        "{} · {} · {} sent, {} received",
        snapshot.time.strftime("%H:%M:%S UTC"),
        units::duration(snapshot.elapsed),
        units.size(totals.bytes_sent),
        units.size(totals.bytes_recv)
    );
    format!("{}\n", terminal.style.quiet(&heading))
}

/// Rows for a file or a pipe, each with its time. Their columns do not move from sample to sample.
fn rows_with_time(snapshot: &Snapshot, shown: &[Arc<ProcessUsage>], units: Units) -> String {
    let time = snapshot.time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let mut text = String::new();
    for usage in shown {
        let counters = &usage.counters;
        let fields = [
            time.clone(),
            usage.process.pid.to_string(),
            escape(&usage.process.name).into_owned(),
            units.rate(usage.rates.sent),
            units.rate(usage.rates.recv),
            units.size(counters.bytes_sent),
            units.size(counters.bytes_recv),
            units.size(counters.payload_sent),
            units.size(counters.payload_recv),
        ];
        text.push_str(&plain_row(&fields, state(usage)));
        for line in connections(usage, units) {
            text.push_str(&escape(&line));
            text.push('\n');
        }
    }
    text
}

/// Columns of the usual width; a longer field pushes the rest to the right.
fn plain_row(fields: &[String; 9], state: &str) -> String {
    let [time, pid, name, numbers @ ..] = fields;
    let padding = " ".repeat(15_usize.saturating_sub(width(name)));
    let mut row = format!("{time:24}  {pid:>7}  {name}{padding}");
    for number in numbers {
        // Writing to a String cannot fail.
        let _ = write!(row, "  {number:>10}");
    }
    let row = format!("{row}  {state}");
    format!("{}\n", row.trim_end())
}

fn state(usage: &ProcessUsage) -> &'static str {
    match usage.process.exited {
        Some(_) => "ended",
        None => "",
    }
}

fn connections(usage: &ProcessUsage, units: Units) -> impl Iterator<Item = String> + '_ {
    let connections = usage.connections.iter().flatten();
    connections.map(move |one| {
        connection::line(&usage.process, one, units, &|counters| {
            let (sent, recv) = (counters.bytes_sent, counters.bytes_recv);
            format!("{} sent, {} received", units.size(sent), units.size(recv))
        })
    })
}

#[cfg(test)]
mod tests;
