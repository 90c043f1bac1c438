//! The packet source of netprocmon: counts the packets that a capture ring shows, and finds out
//! whose they are. `CAP_NET_RAW` is enough.
//!
//! For hosts where eBPF may not be loaded. Wire bytes are as exact as those of the eBPF source, on
//! every interface of the namespace; whose they are is found by asking, so it is right for what
//! lives long enough to be asked for.
//!
//! # How a packet becomes bytes of a process
//!
//! 1. The kernel copies its headers (128 bytes) into a ring that is mapped into this process
//!    (`ring`), with how it will be segmented. A program in the kernel leaves out what is no IP,
//!    what is for others, and VLAN's outer copies (`filter`).
//! 2. `parse` takes the headers apart; `wire` says how many packets and bytes they are on the wire.
//! 3. They are added to their flow (`table`, `flow`): one look-up by hash, no allocation.
//! 4. A flow that is new is asked for in the kernel, exactly, by its addresses and ports
//!    (`engine/look`); the socket's inode number leads to the process that holds it, the likely ones
//!    first (`search`). First packets of connections that this host opens, and questions to name
//!    servers, ring the `doorbell` and are looked up within a fraction of a millisecond, while the
//!    process is still waiting for the answer.
//! 5. What was counted before the owner was known goes over to it. Who is never found is charged
//!    under a reason.
//!
//! # Which packets belong where
//!
//! - What leaves is charged to the socket of its source address, what comes in to that of its
//!   destination. A packet over loopback is seen twice, on its way out and on its way in: sent by
//!   the one, received by the other.
//! - A packet belongs to the interface of the socket's route: the bridge, not its port; the VLAN,
//!   not the card below it; the macvlan, not its lower device (`topology`). So each byte is charged once
//!   for each interface, as the eBPF source does it.
//! - What is only passed on (routed) has no socket: `no_socket`. The eBPF source does not see it at
//!   all; here the interface's own counters are explained by it.
//! - What the kernel says by itself (ICMP errors, echo replies, neighbours) is under `kernel`; so are
//!   echo replies that a program sends in its place.
//! - Packets in time-wait, resets and the like are seen too, unlike by the eBPF source; they stay
//!   with the process of their connection, while the flow is remembered.
//!
//! # Blind spots
//!
//! Payload and retransmissions (a call may read less than came; a segment seen twice may be a copy
//! on the way): unknown, never 0. Bytes of a stream that several processes move in turns go to the
//! one that is found to hold the socket, checked every two seconds. Multicast goes to one of the
//! receivers. Subflows of multipath TCP and sockets that are in no descriptor table (fixed files of
//! `io_uring`) have no owner here. Names of remotes are not learnt. Namespaces that are there for
//! less than a second may be missed.
#![deny(unsafe_op_in_unsafe_fn)]

mod census;
mod doorbell;
mod engine;
mod error;
mod filter;
mod flow;
mod fragments;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[forbid(unsafe_code)]
pub mod parse;
mod ring;
mod search;
mod socket;
mod source;
mod state;
mod table;
mod tap;
mod topology;
mod wire;

#[doc(hidden)]
pub use engine::Bench;
pub use error::{PacketError, PacketErrorKind};
pub use source::{NEEDS, Options, PacketSource};
