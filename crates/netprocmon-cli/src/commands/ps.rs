//! `netprocmon ps`: one look at the processes that have sockets.

use jiff::Timestamp;
use netprocmon::sockets::{Holder, Inventory, usage};
use netprocmon::{ConnectionUsage, Counters, Degradation, Process, Protocol, SCHEMA_VERSION};
use serde::Serialize;

use crate::commands::{print, print_line, say_degradations};
use crate::exit::Status;
use crate::flags::meaning::{Connections, Format, PsPlan};
use crate::render::{self, Terminal};
use crate::rights;

/// Looks, and shows what was seen.
pub(crate) fn ps(plan: &PsPlan) -> anyhow::Result<Status> {
    rights::assume(None)?;
    let mut inventory = Inventory::take();
    inventory.filter(&plan.filter);
    match plan.format {
        Format::Json => {
            let line = line(&inventory, Timestamp::now(), plan.connections);
            print_line(&line)?;
        }
        Format::Text => {
            let terminal = Terminal::of_stdout();
            let text = render::ps::table(&inventory, plan.connections, plan.units, terminal);
            print(text.as_bytes())?;
        }
    }
    say_degradations(&inventory.degradations);
    if inventory.holders.is_empty() && !plan.filter.takes_everything() {
        return Ok(Status::NotFound);
    }
    Ok(Status::Success)
}

/// The whole look as one object; the fields are the contract's where it has them.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    time: Timestamp,
    source: &'static str,
    totals: Counters,
    processes: Vec<Row<'a>>,
    degradations: &'a [Degradation],
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    process: &'a Process,
    /// Payload of the TCP connections that it holds, each since it began; the rest is unknown.
    #[serde(flatten)]
    counters: Counters,
    ports: Vec<Bound>,
    connection_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Vec<ConnectionUsage>>,
}

#[derive(Serialize)]
struct Bound {
    protocol: Protocol,
    address: std::net::IpAddr,
    port: u16,
}

fn line(inventory: &Inventory, time: Timestamp, connections: Connections) -> Line<'_> {
    let row = |holder| row(inventory, holder, connections);
    Line {
        schema: SCHEMA_VERSION,
        kind: "ps",
        time,
        source: "sockdiag",
        totals: inventory.totals,
        processes: inventory.holders.iter().map(row).collect(),
        degradations: &inventory.degradations,
    }
}

fn row<'a>(inventory: &Inventory, holder: &'a Holder, connections: Connections) -> Row<'a> {
    let usage = |socket| usage(socket, &inventory.remotes);
    let ports = holder.bound().map(|socket| Bound {
        protocol: socket.protocol,
        address: socket.local.ip(),
        port: socket.local.port(),
    });
    let shown = connections == Connections::Shown;
    Row {
        process: &holder.process,
        counters: holder.counters(),
        ports: ports.collect(),
        connection_count: holder.connections().count(),
        connections: shown.then(|| holder.connections().map(usage).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::inventory;

    #[test]
    fn json() {
        let inventory = inventory();
        let line = line(&inventory, Timestamp::UNIX_EPOCH, Connections::Shown);
        insta::assert_json_snapshot!(line);
    }
}
