//! What netprocmon talks about, and nothing else: identities, counters, the ledger that adds
//! observations up, and the immutable [`Snapshot`] that every front end reads.
//!
//! This crate is pure. It does no I/O, reads no clock, starts no thread and has no `unsafe`; a
//! source (eBPF, packet capture, `sock_diag`) hands it [`Observation`]s and the time, and it hands
//! back snapshots. The meaning of every number is fixed by the project's contract:
//! `bytes_*` are wire bytes at the IP layer after segmentation, `payload_*` are what the program's
//! own calls moved.
//!
//! Data flows one way: source → [`Observation`] → [`Ledger`] → [`Snapshot`] → reader.
#![forbid(unsafe_code)]

pub mod beside;
mod connection;
mod counters;
mod degradation;
mod difference;
mod directory;
mod filter;
mod group;
mod identity;
mod interface;
mod ledger;
mod names;
mod observation;
mod place;
mod process;
mod protocol;
mod remote;
mod selection;
mod shown;
mod snapshot;
pub mod text;
pub mod units;

pub use connection::{Connection, ConnectionId, ConnectionState, ConnectionUsage, Direction};
pub use counters::{Counters, Rates};
pub use degradation::Degradation;
pub use directory::Directory;
pub use filter::{Filter, FilterError, FilterView};
pub use group::{Group, GroupBy, GroupKey, GroupView, UnknownGroupBy};
pub use identity::{InterfaceId, NetnsId, Pid, ProcessId};
pub use interface::{
    CountingBasis, DeviceCounters, InterfaceReading, InterfaceSummary, LinkHeader, WholeBuffers,
};
pub use ledger::{Ledger, Retention};
pub use observation::{ConnectionReading, Delta, Merged, Observation, Owner, Reason, TrafficKey};
pub use place::{Container, Place, Pod, ProgramFile};
pub use process::{Ancestor, Process};
pub use protocol::{IpVersion, Protocol, UnknownProtocol};
pub use remote::{Origin, Peer, Scope};
pub use selection::Selection;
pub use shown::Shown;
pub use snapshot::{
    InterfaceUsage, ProcessUsage, ProtocolUsage, SCHEMA_VERSION, Snapshot, SourceKind,
    UnattributedUsage,
};
