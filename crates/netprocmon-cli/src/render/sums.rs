//! What was moved since the start: the columns that every table of sums ends with, and their cells.

use netprocmon::units::{self, Units};
use netprocmon::{Counters, Rates};

use super::table::{Cell, Column, Table};

/// The columns, in order; a narrow terminal loses the last ones first.
pub(super) fn columns() -> [Column; 7] {
    [
        Column::number("SENT"),
        Column::number("RECV"),
        Column::number("PAYLOAD TX").leaves(1),
        Column::number("PAYLOAD RX").leaves(1),
        Column::number("PKTS TX").leaves(2),
        Column::number("PKTS RX").leaves(2),
        Column::number("RETRANS").leaves(3),
    ]
}

/// Their cells.
pub(super) fn cells(counters: &Counters, units: Units) -> [Cell; 7] {
    [
        units.size(counters.bytes_sent).into(),
        units.size(counters.bytes_recv).into(),
        units.size(counters.payload_sent).into(),
        units.size(counters.payload_recv).into(),
        units::count(counters.packets_sent).into(),
        units::count(counters.packets_recv).into(),
        units::count(counters.retransmitted_packets).into(),
    ]
}

/// A table of them behind one column.
pub(super) fn table(head: Column) -> Table<8> {
    let [sent, recv, payload_tx, payload_rx, tx, rx, again] = columns();
    Table::new([head, sent, recv, payload_tx, payload_rx, tx, rx, again])
}

/// A row of such a table.
pub(super) fn row(head: Cell, counters: &Counters, units: Units) -> [Cell; 8] {
    let [sent, recv, payload_tx, payload_rx, tx, rx, again] = cells(counters, units);
    [head, sent, recv, payload_tx, payload_rx, tx, rx, again]
}

/// Both directions, to order by; what is not known comes last.
pub(super) fn rate(rates: &Rates) -> f64 {
    match (rates.sent, rates.recv) {
        (None, None) => -1.0,
        (sent, recv) => sent.unwrap_or(0.0) + recv.unwrap_or(0.0),
    }
}
