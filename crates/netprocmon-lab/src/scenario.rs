//! What a row of the table is.

use anyhow::Result;
use netprocmon::SourceChoice;

use crate::net::Offload;
use crate::stage::Stage;

/// One row: what is done; what must be reported follows from what the generators say they moved
/// and from the devices' counters, the same way for every row ([`crate::verify`]).
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called; `--only` picks by a part of it.
    pub name: &'static str,
    /// The link that it runs over.
    pub shape: Shape,
    /// Segmentation offload of its devices.
    pub offload: Offload,
    /// Where the monitor stands.
    pub seat: Seat,
    /// What of the link's traffic belongs to no process.
    pub unowned: Unowned,
    /// Who compares.
    pub comparison: Comparison,
    /// Whether its traffic is the left end's loopback's: peers have to be told where to look.
    pub over_loopback: bool,
    /// Which source the monitor counts with.
    pub source: SourceChoice,
    /// What is done.
    pub act: fn(&mut Stage) -> Result<()>,
}

/// The link of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One veth pair.
    Direct,
    /// Through a bridge behind which every packet is on its own, to be compared with the wire.
    Bridged,
    /// The same, and packets get lost between the two ends: only the ends can be compared.
    Lossy,
}

/// Which network namespace the monitor runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// The one that the clients are in.
    Inside,
    /// The lab's own, where none of the traffic is.
    Outside,
}

/// What no process can be charged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unowned {
    /// Nothing, while the sockets are open; closing leaves at most the contract's 0.1 % or 2 kB.
    Nothing,
    /// Of so many short connections at most the last packets: a FIN that meets a time-wait, and the
    /// acknowledgement of it, have no socket any more.
    TimeWaits(u64),
    /// All that the right end sends: its kernel answers by itself. The requests meet no socket
    /// there, so they can only show as a share that is not explained.
    KernelAnswers,
}

/// Who compares what was moved with what was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The table, the same way for every row.
    Usual,
    /// The row, because the kernel cannot show everything there, and the row says what it does not.
    Own,
}

/// A scenario's reason to be skipped, as an error.
#[derive(Debug)]
pub struct Skip(pub String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

impl Scenario {
    /// A row over one veth pair with offload off, where each packet can be counted, and the monitor
    /// inside.
    #[must_use]
    pub const fn new(name: &'static str, act: fn(&mut Stage) -> Result<()>) -> Self {
        Self {
            name,
            shape: Shape::Direct,
            offload: Offload::Off,
            seat: Seat::Inside,
            unowned: Unowned::Nothing,
            comparison: Comparison::Usual,
            over_loopback: false,
            source: SourceChoice::Auto,
            act,
        }
    }

    /// The same with other offloads.
    #[must_use]
    pub const fn offload(self, offload: Offload) -> Self {
        Self { offload, ..self }
    }

    /// The same, counted by another source.
    #[must_use]
    pub const fn source(self, source: SourceChoice) -> Self {
        Self { source, ..self }
    }

    /// The same over another link.
    #[must_use]
    pub const fn shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// The same with the monitor elsewhere.
    #[must_use]
    pub const fn seat(self, seat: Seat) -> Self {
        Self { seat, ..self }
    }

    /// The same, compared by the row itself.
    #[must_use]
    pub const fn own_comparison(self) -> Self {
        Self {
            comparison: Comparison::Own,
            ..self
        }
    }

    /// The same over the left end's loopback.
    #[must_use]
    pub const fn over_loopback(self) -> Self {
        Self {
            over_loopback: true,
            ..self
        }
    }

    /// The same with traffic that nobody owns.
    #[must_use]
    pub const fn unowned(self, unowned: Unowned) -> Self {
        Self { unowned, ..self }
    }
}
