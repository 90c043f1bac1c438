//! One process or connection: its charts, what is known about it, and what it moved by interface,
//! protocol and remote.

use std::collections::BTreeMap;

use netprocmon::text::{cut, width};
use netprocmon::units::{UNKNOWN, count};
use netprocmon::{ConnectionState, ConnectionUsage, Counters, Process, ProcessUsage, ProgramFile};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::cells::{called, outside, short};
use super::summary::{Charted, charts};
use crate::ends;
use crate::settings::Naming;
use crate::state::rows::{Subject, flow_of, place};
use crate::state::{Detail, State};

/// Columns from which on two stand side by side.
const WIDE: u16 = 130;
/// Rows of a list.
const MOST: usize = 40;

type Lines = Vec<Line<'static>>;

pub(super) fn draw(state: &State, buffer: &mut Buffer, area: Rect) {
    let Some(detail) = &state.detail else {
        return;
    };
    let (chart, below) = parts(area);
    let charted = charted(state, detail);
    if chart.height > 0 {
        charts(state, &charted, buffer, chart);
    }
    let columns = columns(state, detail, below.width);
    let mut x = below.x + 1;
    for (lines, wide) in columns {
        for (line, y) in lines
            .iter()
            .skip(detail.scroll)
            .zip(below.y..below.bottom())
        {
            buffer.set_line(x, y, line, wide);
        }
        x += wide + 2;
    }
}

pub(super) fn scrolls(state: &State, area: Rect) -> usize {
    let Some(detail) = &state.detail else {
        return 0;
    };
    let (_, below) = parts(area);
    let columns = columns(state, detail, below.width);
    let longest = columns.iter().map(|(lines, _)| lines.len()).max();
    longest.unwrap_or(0).saturating_sub(below.height.into())
}

/// The charts, and what is below them.
fn parts(area: Rect) -> (Rect, Rect) {
    let high = match area.height {
        0..14 => 0,
        height => (height / 3).clamp(5, 14),
    };
    let chart = Rect::new(area.x, area.y, area.width, high);
    let below = Rect::new(area.x, area.y + high, area.width, area.height - high);
    (chart, below)
}

fn charted<'a>(state: &'a State, detail: &Detail) -> Charted<'a> {
    let tracks = &state.series.tracks;
    let (track, counters) = match &detail.subject {
        Subject::Connection(_, usage) => (tracks.connection(usage.id), usage.counters),
        Subject::Process(usage) => (tracks.process(usage.process.id), usage.counters),
        _ => (None, Counters::UNKNOWN),
    };
    Charted {
        track,
        tick: state.look().map_or(0, |look| look.tick),
        totals: flow_of(&counters, state.flow),
    }
}

fn columns(state: &State, detail: &Detail, area: u16) -> Vec<(Lines, u16)> {
    let (left, right) = match &detail.subject {
        Subject::Process(usage) => (about(state, &usage.process), {
            let mut lines = moved(state, usage);
            lines.extend(remotes(state, usage, usize::from(area)));
            lines
        }),
        Subject::Connection(owner, usage) => {
            (about_connection(state, owner, usage), about(state, owner))
        }
        _ => (Lines::new(), Lines::new()),
    };
    if area < WIDE {
        let mut all = left;
        all.push(Line::default());
        all.extend(right);
        return vec![(all, area.saturating_sub(2))];
    }
    let half = area.saturating_sub(4) / 2;
    vec![(left, half), (right, half)]
}

fn title(state: &State, text: String) -> Line<'static> {
    Line::styled(text, state.theme.accent)
}

/// `name      value`, the value from outside.
fn fact(state: &State, name: &str, value: &str) -> Line<'static> {
    let room = usize::from(state.width).saturating_sub(16);
    Line::from(vec![
        Span::styled(format!("{name:<12} "), state.theme.quiet),
        Span::styled(outside(value, room, state.glyphs), state.theme.text),
    ])
}

fn about(state: &State, process: &Process) -> Lines {
    let mut lines = vec![title(state, format!("process {}", process.pid))];
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(fact(state, name, &value));
        }
    };
    add("name", Some(process.title().into_owned()));
    let command = called(process, Naming::CommandLine);
    add("command", process.command.as_ref().map(|_| command));
    let state_of_file = match process.exe_file {
        Some(ProgramFile::Deleted) => " (deleted)",
        Some(ProgramFile::Replaced) => " (replaced since)",
        None => "",
    };
    add(
        "program",
        process
            .exe
            .as_ref()
            .map(|exe| format!("{exe}{state_of_file}")),
    );
    let uid = process.uid.map(|uid| uid.to_string());
    let user = match (&process.user, &uid) {
        (Some(user), Some(uid)) => Some(format!("{user} ({uid})")),
        (user, uid) => user.as_deref().or(uid.as_deref()).map(ToOwned::to_owned),
    };
    add("user", user);
    add("runs in", place(process).map(ToOwned::to_owned));
    let slice = process.place.slice.as_deref();
    add("slice", slice.map(ToOwned::to_owned));
    let container = process.place.container.as_ref();
    add(
        "container",
        container.map(|one| format!("{} {}", one.runtime, one.id)),
    );
    add(
        "image",
        container
            .and_then(|one| one.image.as_deref())
            .map(ToOwned::to_owned),
    );
    add(
        "pod",
        process.place.pod.as_ref().map(|pod| pod.label().to_owned()),
    );
    add("parents", parents(process));
    let now = state.look().map(|look| look.now.time);
    let until = process.exited.or(now);
    let age = process
        .started
        .zip(until)
        .map(|(from, to)| to.duration_since(from));
    let age = age.map(|age| short(age.as_secs().max(0).unsigned_abs()));
    let started = process
        .started
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    add(
        "started",
        started.zip(age).map(|(at, age)| format!("{at}, {age} old")),
    );
    add(
        "ended",
        process
            .exited
            .map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()),
    );
    add(
        "namespace",
        process.netns.map(|netns| format!("net {netns}")),
    );
    lines
}

/// `bash (7) ← sshd (5) ← systemd (1)`.
fn parents(process: &Process) -> Option<String> {
    if process.parents.is_empty() {
        return process.ppid.map(|ppid| ppid.to_string());
    }
    let all = process.parents.iter().map(|one| match &one.name {
        Some(name) => format!("{name} ({})", one.pid),
        None => one.pid.to_string(),
    });
    Some(all.collect::<Vec<_>>().join(" ← "))
}

fn about_connection(state: &State, owner: &Process, usage: &ConnectionUsage) -> Lines {
    let one = &usage.connection;
    let (local, remote) = ends::both(one, state.units.ends);
    let mut lines = vec![title(
        state,
        format!(
            "{} connection of {}",
            one.protocol,
            outside(&owner.title(), 40, state.glyphs)
        ),
    )];
    lines.push(fact(state, "local", &local));
    lines.push(fact(state, "remote", remote.as_deref().unwrap_or("*")));
    if let (Some(name), Some(address)) = (&one.remote_name, one.remote) {
        lines.push(fact(state, "", &format!("{name} is {address}")));
    }
    if let Some(pair) = ends::pair(owner, one) {
        lines.push(fact(state, "both ends", &pair));
    }
    if let Some(origin) = one.origin.as_deref().and_then(ends::origin) {
        lines.push(fact(state, "where", &origin));
    }
    if let Some(scope) = one.scope {
        lines.push(fact(state, "scope", scope.name()));
    }
    if let Some(service) = &one.service {
        lines.push(fact(state, "service", service));
    }
    lines.push(fact(state, "state", one.state.name()));
    let direction = match one.direction {
        Some(netprocmon::Direction::In) => "accepted here",
        Some(netprocmon::Direction::Out) => "opened here",
        None => UNKNOWN,
    };
    lines.push(fact(state, "direction", direction));
    lines.push(fact(
        state,
        "interface",
        one.interface_name.as_deref().unwrap_or(UNKNOWN),
    ));
    for (name, at) in [("opened", one.opened), ("closed", one.closed)] {
        if let Some(at) = at {
            lines.push(fact(
                state,
                name,
                &at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            ));
        }
    }
    lines.push(Line::default());
    lines.extend(counters(state, &usage.counters));
    lines.push(Line::default());
    lines
}

/// All eight numbers.
fn counters(state: &State, of: &Counters) -> Lines {
    let theme = &state.theme;
    let units = state.units;
    let row = |name: &str, sent: String, recv: String| {
        Line::from(vec![
            Span::styled(format!("{name:<14}"), theme.quiet),
            Span::styled(format!("{sent:>14}"), theme.text),
            Span::styled(format!("{recv:>14}"), theme.text),
        ])
    };
    let again = format!(
        "{:>14}  in packets: {}",
        units.size(of.retransmitted_bytes),
        count(of.retransmitted_packets)
    );
    vec![
        Line::styled(
            format!("{:<14}{:>14}{:>14}", "moved", "sent", "received"),
            theme.accent,
        ),
        row("wire", units.size(of.bytes_sent), units.size(of.bytes_recv)),
        row(
            "payload",
            units.size(of.payload_sent),
            units.size(of.payload_recv),
        ),
        row("packets", count(of.packets_sent), count(of.packets_recv)),
        Line::from(vec![
            Span::styled(format!("{:<14}", "sent again"), theme.quiet),
            Span::styled(again, theme.text),
        ]),
    ]
}

fn moved(state: &State, usage: &ProcessUsage) -> Lines {
    let mut lines = counters(state, &usage.counters);
    let row = |name: &str, of: &Counters| amounts(state, name, of);
    lines.push(Line::default());
    lines.push(heading(state, "interface"));
    for one in &usage.interfaces {
        lines.push(row(one.name.as_deref().unwrap_or(UNKNOWN), &one.counters));
    }
    lines.push(Line::default());
    lines.push(heading(state, "protocol"));
    for one in &usage.protocols {
        let name = format!("{} over IPv{}", one.protocol, one.ip_version.number());
        lines.push(row(&name, &one.counters));
    }
    lines
}

fn heading(state: &State, name: &str) -> Line<'static> {
    let text = format!("{name:<30}{:>14}{:>14}", "sent", "received");
    Line::styled(text, state.theme.accent)
}

fn amounts(state: &State, name: &str, of: &Counters) -> Line<'static> {
    let theme = &state.theme;
    let (sent, recv) = flow_of(of, state.flow);
    let name = outside(name, 29, state.glyphs);
    let padding = " ".repeat(30_usize.saturating_sub(width(&name)));
    Line::from(vec![
        Span::styled(format!("{name}{padding}"), theme.text),
        Span::styled(format!("{:>14}", state.units.size(sent)), theme.sent),
        Span::styled(format!("{:>14}", state.units.size(recv)), theme.recv),
    ])
}

/// Who it talks to, its ports, its connections: most bytes first.
fn remotes(state: &State, usage: &ProcessUsage, columns: usize) -> Lines {
    let mut lines = Lines::new();
    let connections = usage.connections.as_deref().unwrap_or_default();
    let mut by_remote: BTreeMap<String, Counters> = BTreeMap::new();
    let mut ports: BTreeMap<u16, bool> = BTreeMap::new();
    for one in connections {
        let connection = &one.connection;
        if connection.protocol.has_ports() {
            let listens = connection.state == ConnectionState::Listen;
            *ports.entry(connection.local.port()).or_default() |= listens;
        }
        let Some(remote) = connection.remote else {
            continue;
        };
        let named = state.units.ends == netprocmon::units::Ends::Named;
        let name = connection.remote_name.as_deref().filter(|_| named);
        let name = name.map_or_else(|| remote.ip().to_canonical().to_string(), ToOwned::to_owned);
        *by_remote.entry(name).or_default() += one.counters;
    }
    if !by_remote.is_empty() {
        lines.push(Line::default());
        lines.push(heading(state, "remote"));
        let mut all: Vec<_> = by_remote.into_iter().collect();
        all.sort_by_key(|(_, counters)| std::cmp::Reverse(counters.bytes_total()));
        let more = all.len().saturating_sub(MOST);
        lines.extend(
            all.iter()
                .take(MOST)
                .map(|(name, of)| amounts(state, name, of)),
        );
        lines.extend(and_more(state, more));
    }
    if !ports.is_empty() {
        lines.push(Line::default());
        let shown = ports
            .iter()
            .take(MOST)
            .map(|(port, listens)| match listens {
                true => format!("{port} (listens)"),
                false => port.to_string(),
            });
        let mut text = shown.collect::<Vec<_>>().join(", ");
        if ports.len() > MOST {
            text.push_str(", …");
        }
        lines.push(fact(state, "local ports", &cut(&text, columns)));
    }
    if !connections.is_empty() {
        lines.push(Line::default());
        lines.push(heading(state, "connection"));
        let mut all: Vec<_> = connections.iter().collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.counters.bytes_total()));
        let more = all.len().saturating_sub(MOST);
        for one in all.into_iter().take(MOST) {
            let remote = ends::both(&one.connection, state.units.ends).1;
            let remote = remote.as_deref().unwrap_or("*");
            let arrow = ends::arrow(one.connection.direction);
            let name = format!("{} {arrow} {remote}", one.connection.protocol);
            lines.push(amounts(state, &name, &one.counters));
        }
        lines.extend(and_more(state, more));
    }
    lines
}

fn and_more(state: &State, more: usize) -> Option<Line<'static>> {
    (more > 0).then(|| Line::styled(format!("and {more} more"), state.theme.quiet))
}
