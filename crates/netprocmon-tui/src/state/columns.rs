//! The columns of each view: what stands above them, how wide they are, which go first where there
//! is little room.
//!
//! Widths do not depend on what is in the rows, so nothing moves from one second to the next.

use netprocmon::units::{Prefix, Quantity, Units};

use crate::settings::{Amounts, ColumnId, Flow, View};

/// Where the text stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A column in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) id: ColumnId,
    pub(crate) x: u16,
    pub(crate) width: u16,
}

/// What decides on columns besides the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) view: View,
    pub(crate) grouped: bool,
    pub(crate) amounts: Amounts,
    pub(crate) units: Units,
    /// Whether anything is known about where remotes are.
    pub(crate) origins: bool,
}

/// In which order columns stand, and in which they get room: the lowest number first.
const PROCESSES: &[(ColumnId, u8)] = &[
    (ColumnId::Pid, 2),
    (ColumnId::Name, 0),
    (ColumnId::User, 5),
    (ColumnId::Place, 8),
    (ColumnId::Connections, 6),
    (ColumnId::SentRate, 1),
    (ColumnId::RecvRate, 1),
    (ColumnId::Sent, 3),
    (ColumnId::Recv, 3),
    (ColumnId::OtherSent, 9),
    (ColumnId::OtherRecv, 9),
    (ColumnId::Retransmitted, 7),
    (ColumnId::Graph, 4),
];
const GROUPS: &[(ColumnId, u8)] = &[
    (ColumnId::Name, 0),
    (ColumnId::Who, 5),
    (ColumnId::SentRate, 1),
    (ColumnId::RecvRate, 1),
    (ColumnId::Sent, 2),
    (ColumnId::Recv, 2),
    (ColumnId::OtherSent, 4),
    (ColumnId::OtherRecv, 4),
    (ColumnId::Retransmitted, 6),
    (ColumnId::Share, 3),
];
const CONNECTIONS: &[(ColumnId, u8)] = &[
    (ColumnId::Name, 2),
    (ColumnId::Protocol, 4),
    (ColumnId::Local, 8),
    (ColumnId::Remote, 0),
    (ColumnId::Origin, 9),
    (ColumnId::State, 7),
    (ColumnId::Age, 5),
    (ColumnId::Interface, 6),
    (ColumnId::SentRate, 1),
    (ColumnId::RecvRate, 1),
    (ColumnId::Sent, 3),
    (ColumnId::Recv, 3),
    (ColumnId::Retransmitted, 10),
    (ColumnId::Graph, 11),
];
const REMOTES: &[(ColumnId, u8)] = &[
    (ColumnId::Remote, 0),
    (ColumnId::Origin, 6),
    (ColumnId::Who, 4),
    (ColumnId::SentRate, 1),
    (ColumnId::RecvRate, 1),
    (ColumnId::Sent, 2),
    (ColumnId::Recv, 2),
    (ColumnId::Share, 5),
    (ColumnId::OtherSent, 7),
    (ColumnId::OtherRecv, 7),
    (ColumnId::Retransmitted, 8),
];
const INTERFACES: &[(ColumnId, u8)] = &[
    (ColumnId::Interface, 0),
    (ColumnId::SentRate, 1),
    (ColumnId::RecvRate, 1),
    (ColumnId::Sent, 2),
    (ColumnId::Recv, 2),
    (ColumnId::Explained, 3),
    (ColumnId::Device, 5),
    (ColumnId::Graph, 4),
];

/// The columns of a view, in their order, whether or not there is room for them.
pub(crate) fn of(wanted: Wanted) -> impl Iterator<Item = (ColumnId, u8)> {
    let all = match wanted.view {
        View::Processes if wanted.grouped => GROUPS,
        View::Processes | View::Detail => PROCESSES,
        View::Connections => CONNECTIONS,
        View::Remotes => REMOTES,
        View::Interfaces => INTERFACES,
    };
    all.iter().copied().filter(move |(id, _)| match id {
        ColumnId::SentRate | ColumnId::RecvRate => wanted.amounts != Amounts::Total,
        ColumnId::Sent | ColumnId::Recv => wanted.amounts != Amounts::Rate,
        ColumnId::Origin => wanted.origins,
        _ => true,
    })
}

/// Those that there is room for, in their places.
pub(crate) fn place(wanted: Wanted, columns: u16) -> Vec<Placed> {
    let all: Vec<_> = of(wanted).collect();
    let mut taken = vec![false; all.len()];
    let mut used = 0;
    for rank in 0..=u8::MAX {
        let same = || all.iter().enumerate().filter(|(_, (_, of))| *of == rank);
        // Those of one rank (both directions) come or go together.
        let least: u16 = same()
            .map(|(_, (id, _))| least(*id, wanted.view, wanted.units) + 1)
            .sum();
        if least == 0 {
            if all.iter().all(|(_, of)| *of <= rank) {
                break;
            }
            continue;
        }
        if used + least > columns + 1 && rank > 1 {
            continue;
        }
        used += least;
        same().for_each(|(index, _)| taken[index] = true);
    }
    let kept = all.iter().zip(&taken).filter(|(_, taken)| **taken);
    let kept: Vec<ColumnId> = kept.map(|((id, _), _)| *id).collect();
    let mut left = (columns + 1).saturating_sub(used);
    let mut widths: Vec<u16> = kept
        .iter()
        .map(|id| least(*id, wanted.view, wanted.units))
        .collect();
    // What is left goes to those that can use it, to each what it takes, then to the texts.
    for round in 0..3 {
        let growing: u16 = kept.iter().map(|id| grows(*id, round).0).sum();
        let share = left;
        for (id, width) in kept.iter().zip(&mut widths) {
            let (weight, most) = grows(*id, round);
            if weight == 0 || growing == 0 {
                continue;
            }
            let more = u32::from(share) * u32::from(weight) / u32::from(growing);
            let more = u16::try_from(more).unwrap_or(share);
            let more = more.min(most.saturating_sub(*width));
            *width += more;
            left -= more;
        }
    }
    let texts: Vec<_> = (0..kept.len())
        .filter(|at| grows(kept[*at], 2).0 > 0)
        .collect();
    if let Some(first) = texts.first() {
        widths[*first] += left;
    }
    let mut x = 0;
    kept.into_iter()
        .zip(widths)
        .map(|(id, width)| {
            let width = width.min(columns.saturating_sub(x));
            let placed = Placed { id, x, width };
            x += width + 1;
            placed
        })
        .filter(|placed| placed.width > 0)
        .collect()
}

/// How much of what is left a column takes in a round, and up to which width.
const fn grows(id: ColumnId, round: u8) -> (u16, u16) {
    match (id, round) {
        (ColumnId::Name, 0) => (4, 24),
        (ColumnId::Remote | ColumnId::Who, 0) => (4, 40),
        (ColumnId::Interface, 0) => (2, 44),
        (ColumnId::Local, 0) => (2, 28),
        (ColumnId::User, 0) => (1, 12),
        (ColumnId::Graph, 0) => (3, 24),
        (ColumnId::Place, 1) => (3, 28),
        (ColumnId::Graph, 1) => (3, 40),
        (ColumnId::Share, 1) => (1, 24),
        (ColumnId::Name | ColumnId::Remote | ColumnId::Who, 2) => (2, u16::MAX),
        (ColumnId::Interface, 2) => (1, u16::MAX),
        _ => (0, 0),
    }
}

const fn least(id: ColumnId, view: View, units: Units) -> u16 {
    match id {
        ColumnId::Pid => 7,
        ColumnId::Name | ColumnId::Who => 14,
        ColumnId::Interface => match view {
            View::Interfaces => 14,
            _ => 10,
        },
        ColumnId::SentRate | ColumnId::RecvRate | ColumnId::Rate => size(units) + 2,
        ColumnId::Sent | ColumnId::Recv | ColumnId::Total => size(units),
        ColumnId::OtherSent | ColumnId::OtherRecv => {
            if size(units) < 10 {
                10
            } else {
                size(units)
            }
        }
        // The reasons below an interface need the room.
        ColumnId::Graph if matches!(view, View::Interfaces) => 16,
        ColumnId::User | ColumnId::Retransmitted | ColumnId::Graph => 8,
        ColumnId::Connections | ColumnId::Protocol => 5,
        ColumnId::Local => 20,
        ColumnId::Remote => 17,
        ColumnId::State => 12,
        ColumnId::Age => 6,
        ColumnId::Origin => 16,
        ColumnId::Place | ColumnId::Share => 10,
        ColumnId::Explained => 15,
        ColumnId::Device => 21,
    }
}

/// The widest size that there is: `1023 KiB`, `99.9 kbit`.
const fn size(units: Units) -> u16 {
    match (units.prefix, units.quantity) {
        (Prefix::Iec, Quantity::Bytes) => 8,
        (Prefix::Iec, Quantity::Bits) => 10,
        (Prefix::Si, Quantity::Bytes) => 7,
        (Prefix::Si, Quantity::Bits) => 9,
    }
}

/// Where the text of a column stands.
pub(crate) const fn align(id: ColumnId) -> Align {
    match id {
        ColumnId::Pid
        | ColumnId::Connections
        | ColumnId::SentRate
        | ColumnId::RecvRate
        | ColumnId::Rate
        | ColumnId::Sent
        | ColumnId::Recv
        | ColumnId::Total
        | ColumnId::OtherSent
        | ColumnId::OtherRecv
        | ColumnId::Retransmitted
        | ColumnId::Age
        | ColumnId::Device => Align::Right,
        _ => Align::Left,
    }
}

/// What stands above a column.
pub(crate) const fn head(id: ColumnId, view: View, flow: Flow) -> &'static str {
    match (id, flow) {
        (ColumnId::Pid, _) => "PID",
        (ColumnId::Name, _) => match view {
            View::Connections => "CLIENT / SERVER",
            _ => "PROCESS",
        },
        (ColumnId::User, _) => "USER",
        (ColumnId::Place, _) => "UNIT",
        (ColumnId::Connections, _) => "CONNS",
        (ColumnId::SentRate, Flow::Wire) => "SENT/S",
        (ColumnId::RecvRate, Flow::Wire) => "RECV/S",
        (ColumnId::SentRate, Flow::Payload) => "PAYLD TX/S",
        (ColumnId::RecvRate, Flow::Payload) => "PAYLD RX/S",
        (ColumnId::Rate, _) => "RATE",
        (ColumnId::Sent, Flow::Wire) => "SENT",
        (ColumnId::Recv, Flow::Wire) => "RECV",
        (ColumnId::Sent, Flow::Payload) => "PAYLD TX",
        (ColumnId::Recv, Flow::Payload) => "PAYLD RX",
        (ColumnId::Total, _) => "TOTAL",
        (ColumnId::OtherSent, Flow::Wire) => "PAYLOAD TX",
        (ColumnId::OtherRecv, Flow::Wire) => "PAYLOAD RX",
        (ColumnId::OtherSent, Flow::Payload) => "WIRE TX",
        (ColumnId::OtherRecv, Flow::Payload) => "WIRE RX",
        (ColumnId::Retransmitted, _) => "RETRANS",
        (ColumnId::Graph, _) => "HISTORY",
        (ColumnId::Protocol, _) => "PROTO",
        (ColumnId::Local, _) => "LOCAL",
        (ColumnId::Remote, _) => "REMOTE",
        (ColumnId::State, _) => "STATE",
        (ColumnId::Age, _) => "AGE",
        (ColumnId::Interface, _) => match view {
            View::Interfaces => "INTERFACE",
            _ => "IFACE",
        },
        (ColumnId::Who, _) => "WHO",
        (ColumnId::Origin, _) => "WHERE",
        (ColumnId::Share, _) => "SHARE",
        (ColumnId::Explained, _) => "EXPLAINED",
        (ColumnId::Device, _) => "DEVICE SENT / RECV",
    }
}

/// What a column is called in a menu.
pub(crate) const fn title(id: ColumnId) -> &'static str {
    match id {
        ColumnId::Pid => "process id",
        ColumnId::Name => "name",
        ColumnId::User => "user",
        ColumnId::Place => "unit or container",
        ColumnId::Connections => "connections",
        ColumnId::SentRate => "sent a second",
        ColumnId::RecvRate => "received a second",
        ColumnId::Rate => "both a second",
        ColumnId::Sent => "sent",
        ColumnId::Recv => "received",
        ColumnId::Total => "sent and received",
        ColumnId::OtherSent => "the other flow, sent",
        ColumnId::OtherRecv => "the other flow, received",
        ColumnId::Retransmitted => "retransmitted",
        ColumnId::Graph => "history",
        ColumnId::Protocol => "protocol",
        ColumnId::Local => "local end",
        ColumnId::Remote => "remote",
        ColumnId::State => "state",
        ColumnId::Age => "age",
        ColumnId::Interface => "interface",
        ColumnId::Who => "who",
        ColumnId::Origin => "where it is",
        ColumnId::Share => "share",
        ColumnId::Explained => "share explained",
        ColumnId::Device => "the device's counters",
    }
}

/// What a view can be sorted by: both directions together, then its columns.
pub(crate) fn sortable(wanted: Wanted) -> Vec<ColumnId> {
    let all = Wanted {
        amounts: Amounts::Both,
        ..wanted
    };
    let columns = of(all).map(|(id, _)| id);
    let columns = columns.filter(|id| {
        let not = [
            ColumnId::Graph,
            ColumnId::Share,
            ColumnId::Device,
            ColumnId::Who,
        ];
        !not.contains(id)
    });
    [ColumnId::Rate, ColumnId::Total]
        .into_iter()
        .chain(columns)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(view: View) -> Wanted {
        Wanted {
            view,
            grouped: false,
            amounts: Amounts::Both,
            units: Units::default(),
            origins: true,
        }
    }

    #[test]
    fn columns_fill_the_width_and_never_more() {
        for view in [
            View::Processes,
            View::Connections,
            View::Remotes,
            View::Interfaces,
        ] {
            for columns in 20..250 {
                let placed = place(wanted(view), columns);
                let last = placed.last().unwrap();
                assert!(last.x + last.width <= columns, "{view:?} {columns}");
                if columns >= 60 {
                    assert_eq!(last.x + last.width, columns, "{view:?} {placed:?}");
                }
                for pair in placed.windows(2) {
                    assert_eq!(pair[0].x + pair[0].width + 1, pair[1].x);
                }
            }
        }
    }

    #[test]
    fn what_matters_most_is_left() {
        use ColumnId::{Graph, Name, Pid, Recv, RecvRate, Sent, SentRate, User};
        let ids = |columns| -> Vec<_> {
            let placed = place(wanted(View::Processes), columns).into_iter();
            placed.map(|placed| placed.id).collect()
        };
        assert_eq!(ids(40), [Name, SentRate, RecvRate]);
        assert_eq!(
            ids(80),
            [Pid, Name, User, SentRate, RecvRate, Sent, Recv, Graph]
        );
        assert_eq!(ids(200).len(), PROCESSES.len());
    }
}
