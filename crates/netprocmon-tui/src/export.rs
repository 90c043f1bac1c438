//! What is shown, for a file: JSON as `watch --json` writes it, or the rows as CSV.
//!
//! Made here from the state alone; [`file`] writes it.

use std::io;

use netprocmon::{Counters, Shown};

use crate::settings::View;
use crate::state::State;
use crate::state::rows::{Row, Subject};

pub(crate) mod file;

/// A file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
}

impl Format {
    pub(crate) const ALL: [Self; 2] = [Self::Json, Self::Csv];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Json => "JSON: the snapshot, as `watch --json` has it",
            Self::Csv => "CSV: the rows of this view",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) stem: String,
    pub(crate) extension: &'static str,
    pub(crate) contents: Vec<u8>,
}

/// Makes a file of what is shown.
pub(crate) fn make(state: &State, format: Format) -> io::Result<Export> {
    let look = state.look();
    let look = look.ok_or_else(|| io::Error::other("there is no sample yet"))?;
    let contents = match format {
        Format::Json => {
            let groups = match state.view {
                View::Remotes => Some(&look.remotes),
                View::Processes => look.groups.as_ref(),
                _ => None,
            };
            let whole = |groups: &std::sync::Arc<[std::sync::Arc<netprocmon::Group>]>| {
                groups.iter().map(|group| (**group).clone()).collect()
            };
            let mut json = serde_json::to_vec(&Shown {
                snapshot: std::sync::Arc::clone(&look.shown),
                filter: state.series.filter().clone(),
                groups: groups.map(whole),
            })?;
            json.push(b'\n');
            json
        }
        Format::Csv => csv(state.view, &state.rows)?,
    };
    let time = look.shown.time.strftime("%Y%m%dT%H%M%SZ");
    Ok(Export {
        stem: format!("netprocmon-{}-{time}", state.view.name()),
        extension: format.extension(),
        contents,
    })
}

const COUNTERS: [&str; 10] = [
    "sent_per_second",
    "recv_per_second",
    "bytes_sent",
    "bytes_recv",
    "packets_sent",
    "packets_recv",
    "payload_sent",
    "payload_recv",
    "retransmitted_bytes",
    "retransmitted_packets",
];

/// A table with the same columns in every row; what is not known is empty.
fn csv(view: View, rows: &[Row]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let is_grouped = matches!(
        rows.first().map(|row| &row.subject),
        Some(Subject::Group(_))
    );
    let head: &[&str] = match view {
        _ if is_grouped => &["by", "group", "process"],
        View::Connections => &[
            "pid",
            "name",
            "protocol",
            "local",
            "remote",
            "remote_name",
            "service",
            "peer_pid",
            "peer_name",
            "state",
            "direction",
            "interface",
            "opened",
            "closed",
        ],
        View::Interfaces => &[
            "interface",
            "index",
            "netns",
            "reason",
            "explained_sent",
            "explained_recv",
        ],
        _ => &[
            "pid",
            "name",
            "command",
            "user",
            "unit",
            "container",
            "started",
            "exited",
        ],
    };
    writer.write_record(head.iter().chain(&COUNTERS))?;
    let mut group = String::new();
    for row in rows {
        let mut cells = texts(row, &mut group);
        cells.resize(head.len(), String::new());
        let rate = |rate: Option<f64>| rate.map(|rate| format!("{rate:.1}")).unwrap_or_default();
        cells.extend([rate(row.rates.sent), rate(row.rates.recv)]);
        cells.extend(counters(row.counters()));
        writer.write_record(&cells)?;
    }
    writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))
}

fn texts(row: &Row, group: &mut String) -> Vec<String> {
    let or_none = |text: Option<&str>| text.map(text_cell).unwrap_or_default();
    match &row.subject {
        Subject::Process(usage) => {
            let process = &usage.process;
            let container = process.place.container.as_ref();
            vec![
                process.pid.to_string(),
                text_cell(&process.title()),
                or_none(process.command.as_ref().map(|all| all.join(" ")).as_deref()),
                or_none(process.user.as_deref()),
                or_none(
                    process
                        .place
                        .user_unit
                        .as_deref()
                        .or(process.place.unit.as_deref()),
                ),
                or_none(container.map(netprocmon::Container::label)),
                process.started.map(|at| at.to_string()).unwrap_or_default(),
                process.exited.map(|at| at.to_string()).unwrap_or_default(),
            ]
        }
        Subject::Connection(owner, usage) => {
            let one = &usage.connection;
            let peer = one.peer.as_ref();
            vec![
                owner.pid.to_string(),
                text_cell(&owner.title()),
                one.protocol.to_string(),
                one.local.to_string(),
                one.remote
                    .map(|remote| remote.to_string())
                    .unwrap_or_default(),
                or_none(one.remote_name.as_deref()),
                or_none(one.service.as_deref()),
                peer.map(|peer| peer.process.pid.to_string())
                    .unwrap_or_default(),
                or_none(peer.map(|peer| &*peer.name)),
                one.state.name().to_owned(),
                match one.direction {
                    Some(netprocmon::Direction::In) => "in".to_owned(),
                    Some(netprocmon::Direction::Out) => "out".to_owned(),
                    None => String::new(),
                },
                or_none(one.interface_name.as_deref()),
                one.opened.map(|at| at.to_string()).unwrap_or_default(),
                one.closed.map(|at| at.to_string()).unwrap_or_default(),
            ]
        }
        Subject::Group(one) => {
            *group = text_cell(&one.label);
            vec![one.key.by().to_owned(), group.clone()]
        }
        Subject::Member(one) => {
            vec![
                one.key.by().to_owned(),
                group.clone(),
                text_cell(&one.label),
            ]
        }
        Subject::Interface(one) => {
            *group = or_none(one.name.as_deref());
            let share = |share: Option<f64>| share.map(|share| format!("{share:.6}"));
            vec![
                group.clone(),
                one.id.index.to_string(),
                one.id.netns.to_string(),
                String::new(),
                share(one.explained_sent).unwrap_or_default(),
                share(one.explained_recv).unwrap_or_default(),
            ]
        }
        Subject::Unattributed(one) => vec![
            or_none(one.interface_name.as_deref()),
            one.interface.index.to_string(),
            one.interface.netns.to_string(),
            one.reason.name().to_owned(),
        ],
    }
}

fn counters(counters: &Counters) -> [String; 8] {
    [
        counters.bytes_sent,
        counters.bytes_recv,
        counters.packets_sent,
        counters.packets_recv,
        counters.payload_sent,
        counters.payload_recv,
        counters.retransmitted_bytes,
        counters.retransmitted_packets,
    ]
    .map(|value| value.map(|value| value.to_string()).unwrap_or_default())
}

/// Text from outside. A spreadsheet takes what begins with one of these for a formula, and a
/// process chooses its own name; the quote makes a text of it.
fn text_cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
