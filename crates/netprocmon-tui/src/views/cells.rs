//! What stands in a row and column, as text and style.
//!
//! Text from outside (process names, command lines, users, units, host names) is hostile. It is
//! bounded, escaped and cut in [`outside`], and nowhere else.

use netprocmon::text::{cut, escape};
use netprocmon::units::{UNKNOWN, count};
use netprocmon::{
    ConnectionUsage, Direction, Group, GroupKey, InterfaceSummary, Process, Reason, Snapshot,
    UnattributedUsage,
};
use ratatui::style::Style;

use crate::chart::{self, Way};
use crate::ends;
use crate::glyphs::Glyphs;
use crate::settings::{ColumnId, Flow, Naming};
use crate::state::State;
use crate::state::rows::{Row, Subject, flow_of, place};

/// Characters that are looked at for each column: a name may be made of characters of no width.
const DENSITY: usize = 4;

/// Names of those in a group; no column has room for more.
const NAMES: usize = 16;

/// A text and how it looks.
pub(crate) type Cell = (String, Style);

/// Columns of a screen, none of which is wider.
pub(crate) fn narrow(columns: usize) -> u16 {
    u16::try_from(columns).unwrap_or(u16::MAX)
}

/// Text from outside, fit for so many columns of this terminal.
pub(crate) fn outside(text: &str, columns: usize, glyphs: Glyphs) -> String {
    let most = columns * DENSITY + DENSITY;
    let end = text
        .char_indices()
        .nth(most)
        .map_or(text.len(), |(at, _)| at);
    let is_whole = end == text.len();
    let safe = escape(&text[..end]);
    let mut shown = cut(&safe, columns).into_owned();
    if !is_whole && !shown.ends_with('…') {
        shown = cut(&format!("{shown}…"), columns).into_owned();
    }
    // A terminal of another encoding may take the bytes of our characters for control sequences.
    match glyphs {
        Glyphs::Unicode => shown,
        Glyphs::Plain => glyphs.fit(&shown),
    }
}

/// The cell of a row in a column.
pub(crate) fn cell(state: &State, row: &Row, column: ColumnId, width: usize) -> Cell {
    let theme = &state.theme;
    let units = state.units;
    let (sent, recv) = flow_of(row.counters(), state.flow);
    let rate = |rate: Option<f64>, way| {
        let style = match rate {
            Some(rate) if rate > 0.0 => theme.of(way),
            _ => theme.quiet,
        };
        (units.rate(rate), style)
    };
    let size = |bytes: Option<u64>| {
        let style = match bytes {
            Some(1..) => theme.text,
            _ => theme.quiet,
        };
        (units.size(bytes), style)
    };
    let other = match state.flow {
        Flow::Wire => flow_of(row.counters(), Flow::Payload),
        Flow::Payload => flow_of(row.counters(), Flow::Wire),
    };
    let (text, style) = match column {
        ColumnId::SentRate => rate(row.rates.sent, Way::Sent),
        ColumnId::RecvRate => rate(row.rates.recv, Way::Recv),
        ColumnId::Sent => size(sent),
        ColumnId::Recv => size(recv),
        ColumnId::OtherSent => size(other.0),
        ColumnId::OtherRecv => size(other.1),
        ColumnId::Retransmitted => {
            let packets = row.counters().retransmitted_packets;
            let style = match packets {
                Some(1..) => theme.warning,
                _ => theme.quiet,
            };
            (count(packets), style)
        }
        ColumnId::Share => (share(state, row, width), theme.accent),
        _ => texts(state, row, column, width),
    };
    if row.has_ended() {
        return (text, theme.ended);
    }
    (text, style)
}

fn texts(state: &State, row: &Row, column: ColumnId, width: usize) -> Cell {
    match &row.subject {
        Subject::Process(usage) => {
            let connections = usage.connections.as_ref().map(Vec::len);
            match column {
                ColumnId::Connections => {
                    let number = connections.map_or_else(|| UNKNOWN.to_owned(), |n| n.to_string());
                    (number, state.theme.text)
                }
                _ => of_process(state, row, &usage.process, column, width),
            }
        }
        Subject::Connection(owner, usage) => of_connection(state, row, owner, usage, column, width),
        Subject::Group(group) => of_group(state, row, group, column, width),
        Subject::Member(group) => of_group(state, row, group, column, width),
        Subject::Interface(one) => of_interface(state, one, column, width),
        Subject::Unattributed(one) => of_nobody(state, row, one, column, width),
    }
}

fn of_process(state: &State, row: &Row, process: &Process, column: ColumnId, width: usize) -> Cell {
    let theme = &state.theme;
    let text = |text: &str| outside(text, width, state.glyphs);
    match column {
        ColumnId::Pid => (process.pid.to_string(), theme.quiet),
        ColumnId::Name => {
            let branch = branch(state, row);
            let room = width.saturating_sub(netprocmon::text::width(&branch));
            let name = outside(&called(process, state.naming), room, state.glyphs);
            (format!("{branch}{name}"), theme.text)
        }
        ColumnId::User => {
            let number = || process.uid.map(|uid| uid.to_string().into());
            let user = process.user.clone().or_else(number);
            (
                user.map_or_else(|| UNKNOWN.to_owned(), |user| text(&user)),
                theme.quiet,
            )
        }
        ColumnId::Place => (place(process).map(text).unwrap_or_default(), theme.quiet),
        _ => (String::new(), theme.text),
    }
}

/// What a process is called: its title, or all its arguments.
pub(crate) fn called(process: &Process, naming: Naming) -> String {
    let command = process.command.as_ref().filter(|all| !all.is_empty());
    match (naming, command) {
        (Naming::CommandLine, Some(command)) => {
            let mut line = String::new();
            for argument in command.iter() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(argument);
                // No screen is wider.
                if line.len() > 4096 {
                    break;
                }
            }
            line
        }
        _ => process.title().into_owned(),
    }
}

fn branch(state: &State, row: &Row) -> String {
    match row.depth {
        0 => String::new(),
        depth => format!(
            "{}{}",
            "   ".repeat((depth - 1).min(12)),
            state.glyphs.branch(row.last)
        ),
    }
}

fn of_connection(
    state: &State,
    row: &Row,
    owner: &Process,
    usage: &ConnectionUsage,
    column: ColumnId,
    width: usize,
) -> Cell {
    let one = &usage.connection;
    let theme = &state.theme;
    let text = |text: &str| outside(text, width, state.glyphs);
    match column {
        ColumnId::Name => (text(&pair(state, owner, usage, width)), theme.text),
        ColumnId::Protocol => (one.protocol.to_string(), theme.quiet),
        ColumnId::Local => (text(&ends::both(one, state.units.ends).0), theme.quiet),
        ColumnId::Remote => {
            let arrow = ends::arrow(one.direction);
            let remote = ends::both(one, state.units.ends).1;
            let remote = remote.as_deref().unwrap_or("*");
            (text(&format!("{arrow} {remote}")), theme.text)
        }
        ColumnId::State => (one.state.name().to_owned(), theme.quiet),
        ColumnId::Interface => {
            let name = one.interface_name.as_deref();
            (name.map_or_else(|| UNKNOWN.to_owned(), text), theme.quiet)
        }
        ColumnId::Age => {
            let until = one.closed.or_else(|| Some(state.look()?.now.time));
            let age = one
                .opened
                .zip(until)
                .map(|(from, to)| to.duration_since(from));
            let age = age.map(|age| age.as_secs().max(0).unsigned_abs());
            (age.map_or_else(|| UNKNOWN.to_owned(), short), theme.quiet)
        }
        ColumnId::Origin => {
            let origin = one.origin.as_deref().and_then(ends::origin);
            (origin.as_deref().map(text).unwrap_or_default(), theme.quiet)
        }
        _ => of_process(state, row, owner, column, width),
    }
}

/// `curl ⇄ nginx`, the client first; with pids where there is room.
fn pair(state: &State, owner: &Process, usage: &ConnectionUsage, width: usize) -> String {
    let mut own = called(owner, state.naming);
    let with_pids = width >= 28;
    let numbered = |name: &str, pid| {
        if with_pids {
            format!("{name} ({pid})")
        } else {
            name.to_owned()
        }
    };
    let Some(peer) = &usage.connection.peer else {
        return numbered(&own, owner.pid);
    };
    // Both must be seen.
    if own.chars().count() > width / 2 {
        own = owner.name.to_string();
    }
    let own = numbered(&own, owner.pid);
    let other = numbered(&peer.name, peer.process.pid);
    let sign = state.glyphs.pair();
    match usage.connection.direction {
        Some(Direction::In) => format!("{other} {sign} {own}"),
        Some(Direction::Out) | None => format!("{own} {sign} {other}"),
    }
}

fn of_group(state: &State, row: &Row, group: &Group, column: ColumnId, width: usize) -> Cell {
    let theme = &state.theme;
    let style = if group.key.is_named() {
        theme.text
    } else {
        theme.quiet
    };
    match column {
        ColumnId::Name | ColumnId::Remote => {
            let branch = branch(state, row);
            let room = width.saturating_sub(netprocmon::text::width(&branch));
            let label = outside(&label(state, group), room, state.glyphs);
            (format!("{branch}{label}"), style)
        }
        ColumnId::Who => (outside(&who(group), width, state.glyphs), theme.quiet),
        _ => (String::new(), style),
    }
}

fn label(state: &State, group: &Group) -> String {
    let label = &group.label;
    match &group.key {
        GroupKey::Process(id) => format!("{label} ({})", id.pid),
        GroupKey::Tree(root) if *label != format!("pid {root}") => format!("{label} ({root})"),
        GroupKey::RemoteName(name) => {
            let numeric = state.units.ends == netprocmon::units::Ends::Numeric;
            let address = numeric.then(|| address_of(state, name)).flatten();
            address.unwrap_or_else(|| label.clone())
        }
        _ => label.clone(),
    }
}

/// An address that goes by this name.
fn address_of(state: &State, name: &str) -> Option<String> {
    let snapshot: &Snapshot = &state.look()?.shown;
    let mut all = snapshot
        .processes
        .iter()
        .flat_map(|usage| usage.connections.iter().flatten());
    let found = all.find(|one| one.connection.remote_name.as_deref() == Some(name))?;
    Some(found.connection.remote?.ip().to_canonical().to_string())
}

/// The processes in a group, most bytes first: `curl, nginx ×3`.
fn who(group: &Group) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for member in &group.groups {
        if let Some((_, count)) = names.iter_mut().find(|(name, _)| *name == member.label) {
            *count += 1;
        } else if names.len() < NAMES {
            names.push((&member.label, 1));
        }
    }
    let names = names.into_iter().map(|(name, count)| match count {
        1 => name.to_owned(),
        count => format!("{name} ×{count}"),
    });
    names.collect::<Vec<_>>().join(", ")
}

/// A row's part of everything that is shown.
#[allow(clippy::cast_precision_loss)] // a share, shown to two digits
fn share(state: &State, row: &Row, width: usize) -> String {
    let (sent, recv) = flow_of(row.counters(), state.flow);
    let whole: f64 = state
        .rows
        .iter()
        .filter(|row| row.depth == 0)
        .filter_map(|row| {
            let (sent, recv) = flow_of(row.counters(), state.flow);
            Some((sent? + recv?) as f64)
        })
        .sum();
    let Some(bytes) = sent.zip(recv).map(|(sent, recv)| sent.saturating_add(recv)) else {
        return UNKNOWN.to_owned();
    };
    if whole <= 0.0 {
        return String::new();
    }
    let share = bytes as f64 / whole;
    let columns = width.saturating_sub(5);
    let bar = chart::bar(share, columns, state.glyphs);
    let filled = " ".repeat(columns.saturating_sub(netprocmon::text::width(&bar)));
    format!("{bar}{filled} {:>3.0}%", share * 100.0)
}

fn of_interface(state: &State, one: &InterfaceSummary, column: ColumnId, width: usize) -> Cell {
    let theme = &state.theme;
    let units = state.units;
    match column {
        ColumnId::Interface => {
            let name = one.name.as_deref().unwrap_or(UNKNOWN);
            let namespace = if has_many_namespaces(state) {
                format!(" in {}", one.id.netns)
            } else {
                String::new()
            };
            (
                outside(&format!("{name}{namespace}"), width, state.glyphs),
                theme.strong,
            )
        }
        ColumnId::Explained => {
            let share = |share: Option<f64>| {
                share.map_or_else(
                    || UNKNOWN.to_owned(),
                    |share| format!("{:.1}%", share * 100.0),
                )
            };
            let is_short = [one.explained_sent, one.explained_recv]
                .into_iter()
                .flatten()
                .any(|share| !(0.99..=1.01).contains(&share));
            let style = if is_short { theme.warning } else { theme.text };
            let text = format!(
                "{:>7} {:>7}",
                share(one.explained_sent),
                share(one.explained_recv)
            );
            (text, style)
        }
        ColumnId::Device => {
            let sent = units.size(one.device.map(|device| device.bytes_sent));
            let recv = units.size(one.device.map(|device| device.bytes_recv));
            (format!("{sent:>9} / {recv:>9}"), theme.quiet)
        }
        _ => (String::new(), theme.text),
    }
}

fn has_many_namespaces(state: &State) -> bool {
    let Some(look) = state.look() else {
        return false;
    };
    let all = &look.shown.interfaces;
    all.iter().any(|one| one.id.netns != all[0].id.netns)
}

fn of_nobody(
    state: &State,
    row: &Row,
    one: &UnattributedUsage,
    column: ColumnId,
    width: usize,
) -> Cell {
    let text = match column {
        ColumnId::Interface => {
            let branch = branch(state, row);
            let room = width.saturating_sub(netprocmon::text::width(&branch));
            let labels = [
                format!("no process: {}", why(one.reason)),
                format!("no process: {}", one.reason.name()),
            ];
            let mut fitting = labels.into_iter();
            let fitting = fitting.find(|label| netprocmon::text::width(label) <= room);
            let label = fitting.unwrap_or_else(|| one.reason.name().to_owned());
            format!("{branch}{}", outside(&label, room, state.glyphs))
        }
        _ => String::new(),
    };
    (text, state.theme.quiet)
}

/// Why bytes are charged to no process, in a line.
const fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Kernel => "the kernel's own sockets",
        Reason::BeforeStart => "sockets older than this, whose owner is not found",
        Reason::NoSocket => "no socket: time-wait, resets, forwarded",
        Reason::Exited => "gone before it could be read",
        Reason::Capacity => "a table was full",
    }
}

/// `7s`, `3m05`, `2h07`, `3d04h`: never wider than five columns for three months.
pub(crate) fn short(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_cut_and_bounded() {
        let glyphs = Glyphs::Unicode;
        assert_eq!(outside("a\u{1b}[31mb", 20, glyphs), "a\\x1b[31mb");
        assert_eq!(outside("日本語", 5, glyphs), "日本…");
        let zalgo = "a".to_owned() + &"\u{301}".repeat(100_000);
        let shown = outside(&zalgo, 10, glyphs);
        assert!(shown.chars().count() <= 60, "{}", shown.chars().count());
        // 0x9b, a control sequence where bytes are characters, is a byte of this letter.
        assert_eq!(outside("Û\u{9b}", 20, Glyphs::Plain), "?\\u{9b}");
    }

    #[test]
    fn sixty_columns_of_any_script() {
        for text in ["x".repeat(80), "日".repeat(50), "e\u{301}".repeat(80)] {
            for columns in 0..70 {
                let shown = outside(&text, columns, Glyphs::Unicode);
                let wide = netprocmon::text::width(&shown);
                assert!(
                    wide <= columns && wide + 2 > columns.min(60),
                    "{columns}: {shown}"
                );
                assert!(!shown.starts_with('\u{301}'));
            }
        }
    }

    #[test]
    fn ages_are_short() {
        let ages = [0, 59, 60, 3599, 3600, 86_399, 86_400 * 3 + 4 * 3600].map(short);
        assert_eq!(
            ages,
            ["0s", "59s", "1m00", "59m59", "1h00", "23h59", "3d04h"]
        );
    }
}
