//! The report of `run`.
//!
//! A line that says what ran, a row a process (the busiest, the rest together), the total, the
//! total by interface; then, quietly, what else there is to know.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use netprocmon::text::{cut, escape, width};
use netprocmon::units::{self, Units};
use netprocmon::{Counters, InterfaceId, ProcessUsage, Snapshot};

use super::table::{Cell, Column, Table};
use super::{Terminal, connection, group, sums};
use crate::commands::run::outcome::{Ending, Limit, Outcome, Spent};

/// Processes with a row of their own.
const SHOWN: usize = 20;
/// A tree of so few is shown whole.
const FEW: usize = 5;

/// The report on the tree in `tree`, each line ended.
pub(crate) fn report(
    tree: &Snapshot,
    outcome: &Outcome<'_>,
    units: Units,
    terminal: Terminal,
) -> String {
    let mut report = format!(
        "{}\n",
        terminal.style.bold(&heading(tree, outcome, terminal))
    );
    report.push_str(&match &outcome.groups {
        Some(groups) => group::totals(groups, &tree.totals, units, terminal),
        None => table(tree, units).render(terminal),
    });
    report.extend(exactly(&tree.totals));
    let mut notes = Vec::new();
    if let Some(filter) = outcome.filter {
        notes.push(format!("only what matches: {filter}"));
    }
    if let Some(spent) = &outcome.spent {
        notes.extend(budget(spent, &outcome.moved, units));
    }
    notes.extend(still_running(outcome));
    notes.extend(elsewhere(tree, units));
    for degradation in tree.degradations.iter() {
        notes.push(match &degradation.remedy {
            Some(remedy) => format!("not seen: {} ({remedy})", degradation.message),
            None => format!("not seen: {}", degradation.message),
        });
    }
    if tree.lost_events > 0 {
        notes.push(format!(
            "{} events were lost; counters are not among them, names may be",
            tree.lost_events
        ));
    }
    for note in notes {
        // Writing to a String cannot fail.
        let _ = writeln!(report, "{}", terminal.style.quiet(&escape(&note)));
    }
    report
}

const HEAD: &str = "netprocmon: ";

/// `netprocmon: curl -s example.org · 1 process · exit status 0 · 1.240 s`; the command is what is cut.
fn heading(tree: &Snapshot, outcome: &Outcome<'_>, terminal: Terminal) -> String {
    let words = outcome.command.iter().map(|word| word.to_string_lossy());
    let words = words.collect::<Vec<_>>().join(" ");
    let ending = match outcome.ending {
        Ending::Exited(code) => format!("exit status {code}"),
        Ending::Signalled(number) => format!("killed by {}", signal_name(number)),
    };
    let tail = format!(
        " · {} · {ending} · {}",
        match tree.processes.len() {
            0 if outcome.filter.is_some() => "nothing matched".to_owned(),
            0 => "no traffic".to_owned(),
            count => units::processes(count),
        },
        units::duration(outcome.wall)
    );
    let command = escape(&words);
    match terminal.columns() {
        Some(columns) => {
            let room = columns.saturating_sub(HEAD.len() + width(&tail)).max(10);
            format!("{HEAD}{}{tail}", cut(&command, room))
        }
        None => format!("{HEAD}{command}{tail}"),
    }
}

/// `SIGTERM`, or the number where it has no name.
fn signal_name(number: u8) -> String {
    signal_hook::low_level::signal_name(number.into())
        .map_or_else(|| format!("signal {number}"), ToOwned::to_owned)
}

fn table(tree: &Snapshot, units: Units) -> Table<9> {
    let [sent, recv, payload_tx, payload_rx, tx, rx, again] = sums::columns();
    let (pid, process) = (
        Column::number("PID"),
        Column::text("PROCESS").shrinks_to(10),
    );
    let mut table = Table::new([
        pid, process, sent, recv, payload_tx, payload_rx, tx, rx, again,
    ]);
    let ranked = tree.top(usize::MAX);
    let moved = ranked
        .iter()
        .filter(|usage| !usage.counters.is_zero())
        .count();
    let shown = match ranked.len() {
        // A small tree is shown whole, with what moved nothing.
        few @ 0..=FEW => few,
        _ => moved.min(SHOWN),
    };
    for usage in &ranked[..shown] {
        let head = [
            usage.process.pid.to_string().into(),
            Cell::outside(&usage.process.name),
        ];
        table.row(row(head, &usage.counters, units));
        for one in usage.connections.iter().flatten() {
            table.line(&connection::line(&usage.process, one, units, &|counters| {
                let (sent, recv) = (counters.bytes_sent, counters.bytes_recv);
                format!("{} sent, {} received", units.size(sent), units.size(recv))
            }));
        }
    }
    let rest = &ranked[shown..];
    if !rest.is_empty() {
        let head = format!(
            "and {} other{}",
            rest.len(),
            if rest.len() == 1 { "" } else { "s" }
        );
        let sum: Counters = rest.iter().map(|usage| &usage.counters).sum();
        table.aside(row([Cell::empty(), head.into()], &sum, units));
    }
    table.total(row([Cell::empty(), "total".into()], &tree.totals, units));
    for ((_, name), counters) in by_interface(&tree.processes) {
        let name = name.as_deref().unwrap_or("unknown interface");
        let cells = [Cell::empty(), Cell::outside(&format!("  {name}"))];
        table.aside(row(cells, &counters, units));
    }
    table
}

/// The eight counters of a row, in the table's order.
fn row(head: [Cell; 2], counters: &Counters, units: Units) -> [Cell; 9] {
    let [pid, name] = head;
    let [sent, recv, payload_tx, payload_rx, tx, rx, again] = sums::cells(counters, units);
    [pid, name, sent, recv, payload_tx, payload_rx, tx, rx, again]
}

/// The tree's traffic over each interface; one that nothing crossed is not named.
fn by_interface(
    processes: &[Arc<ProcessUsage>],
) -> BTreeMap<(InterfaceId, Option<Arc<str>>), Counters> {
    let mut sums = BTreeMap::new();
    for usage in processes.iter().flat_map(|usage| &usage.interfaces) {
        if !usage.counters.is_zero() {
            *sums.entry((usage.id, usage.name.clone())).or_default() += usage.counters;
        }
    }
    sums
}

/// `budget: 12.0 MiB of 50.0 MiB sent and received`, one line a limit.
fn budget<'a>(
    spent: &'a Spent,
    totals: &'a Counters,
    units: Units,
) -> impl Iterator<Item = String> + 'a {
    let limits = [
        (
            Limit::Bytes,
            spent.max_bytes,
            totals.bytes_total(),
            "sent and received",
        ),
        (Limit::Sent, spent.max_sent, totals.bytes_sent, "sent"),
        (Limit::Recv, spent.max_recv, totals.bytes_recv, "received"),
    ];
    limits
        .into_iter()
        .filter_map(move |(limit, allowed, used, what)| {
            let allowed = units.size(Some(allowed?));
            let verdict = match (spent.exceeded.contains(&limit), spent.killed) {
                (false, _) => "",
                (true, false) => ": exceeded",
                (true, true) => ": exceeded, the command was stopped",
            };
            Some(format!(
                "budget: {} of {allowed} {what}{verdict}",
                units.size(used)
            ))
        })
}

/// The two sums that people compare with others, to the byte.
fn exactly(totals: &Counters) -> Option<String> {
    let (sent, recv) = (totals.bytes_sent?, totals.bytes_recv?);
    Some(format!(
        "exactly {} bytes sent, {} bytes received\n",
        units::grouped(sent),
        units::grouped(recv)
    ))
}

fn still_running(outcome: &Outcome<'_>) -> Option<String> {
    let count = outcome.still_running.len();
    (count > 0).then(|| {
        let verb = if count == 1 { "runs" } else { "run" };
        let processes = units::processes(count);
        format!("{processes} of the tree still {verb}: what is moved from now on is not counted")
    })
}

/// What was charged to nobody while the command ran, by reason.
fn elsewhere(tree: &Snapshot, units: Units) -> Option<String> {
    let mut by_reason: Vec<(&'static str, Counters)> = Vec::new();
    for usage in &tree.unattributed {
        let reason = usage.reason.name();
        match by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, sum)) => *sum += usage.counters,
            None => by_reason.push((reason, usage.counters)),
        }
    }
    let total: Counters = by_reason.iter().map(|(_, counters)| counters).sum();
    // Where wire bytes are not known, payload says at least something.
    let size = |counters: &Counters| match (counters.payload_sent, counters.payload_recv) {
        (Some(sent), Some(recv)) if counters.bytes_total().is_none() => {
            format!("{} of payload", units.size(Some(sent + recv)))
        }
        _ => units.size(counters.bytes_total()),
    };
    let reasons = by_reason
        .iter()
        .map(|(reason, counters)| format!("{reason} {}", size(counters)));
    (!by_reason.is_empty()).then(|| {
        format!(
            "on the whole host meanwhile, charged to no process: {} ({})",
            size(&total),
            reasons.collect::<Vec<_>>().join(", ")
        )
    })
}

#[cfg(test)]
mod tests;
