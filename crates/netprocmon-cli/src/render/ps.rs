//! The table of `ps`.

use std::fmt::Write as _;

use netprocmon::Process;
use netprocmon::host::socket::Socket;
use netprocmon::sockets::{Holder, Inventory, usage};
use netprocmon::units::{self, Units};

use super::Terminal;
use super::table::{Cell, Column, Table};
use crate::flags::meaning::Connections;

/// Ports named in a row; the rest are counted.
const PORTS: usize = 6;

/// A row a process, by pid; its connections below it where they are wanted.
pub(crate) fn table(
    inventory: &Inventory,
    connections: Connections,
    units: Units,
    terminal: Terminal,
) -> String {
    let mut table = Table::new([
        Column::number("PID"),
        Column::text("PROCESS").shrinks_to(10),
        Column::text("USER").leaves(1),
        Column::text("PORTS").shrinks_to(12),
        Column::number("CONNECTIONS"),
        Column::number("TCP SENT"),
        Column::number("TCP RECV"),
    ]);
    for holder in &inventory.holders {
        let counters = holder.counters();
        let process = &holder.process;
        table.row([
            process.pid.to_string().into(),
            Cell::outside(&process.name),
            user(process.user.as_deref(), process.uid),
            ports(holder),
            holder.connections().count().to_string().into(),
            units.size(counters.payload_sent).into(),
            units.size(counters.payload_recv).into(),
        ]);
        if connections == Connections::Shown {
            for socket in holder.connections() {
                table.line(&connection(inventory, process, socket, units));
            }
        }
    }
    table.render(terminal)
}

/// The user's name, else the number.
pub(super) fn user(name: Option<&str>, uid: Option<u32>) -> Cell {
    match (name, uid) {
        (Some(name), _) => Cell::outside(name),
        (None, Some(uid)) => uid.to_string().into(),
        (None, None) => units::UNKNOWN.into(),
    }
}

/// `tcp 22, udp 53`, each once, whatever addresses they are bound to.
fn ports(holder: &Holder) -> Cell {
    let mut ports: Vec<_> = holder
        .bound()
        .map(|socket| (socket.protocol, socket.local.port()))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() {
        return units::UNKNOWN.into();
    }
    let named = ports.iter().take(PORTS);
    let named: Vec<_> = named
        .map(|(protocol, port)| format!("{protocol} {port}"))
        .collect();
    let mut text = named.join(", ");
    if ports.len() > PORTS {
        // Writing to a String cannot fail.
        let _ = write!(text, " +{}", ports.len() - PORTS);
    }
    text.into()
}

fn connection(inventory: &Inventory, process: &Process, socket: &Socket, units: Units) -> String {
    let usage = usage(socket, &inventory.remotes);
    super::connection::line(process, &usage, units, &|counters| {
        format!(
            "payload {} sent, {} received",
            units.size(counters.payload_sent),
            units.size(counters.payload_recv)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::Style;
    use super::*;
    use crate::made::inventory;

    #[test]
    fn wide_and_narrow() {
        let at = |columns| Terminal {
            size: Some((columns, 24)),
            style: Style::Plain,
        };
        let shown =
            |connections, terminal| table(&inventory(), connections, Units::default(), terminal);
        insta::assert_snapshot!("ps_pipe", shown(Connections::Shown, Terminal::NONE));
        insta::assert_snapshot!("ps_60", shown(Connections::Hidden, at(60)));
    }
}
