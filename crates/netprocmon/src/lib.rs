//! How many bytes each process sends and receives, per network interface, exactly.
//!
//! The kernel counts, where it already knows the socket of every packet; a [`Monitor`] reads the
//! totals and gives immutable [`Snapshot`]s. No packet is captured, no table of `/proc` is polled,
//! and processes that live a millisecond are counted like any other.
//!
//! ```no_run
//! use netprocmon::Monitor;
//!
//! let mut monitor = Monitor::builder().start()?;
//! std::thread::sleep(std::time::Duration::from_secs(5));
//! for usage in monitor.snapshot()?.top(10) {
//!     let (name, sent) = (&usage.process.name, usage.counters.bytes_sent);
//!     println!("{:>7} {name}: {} bytes sent", usage.process.pid, sent.unwrap_or(0));
//! }
//! # Ok::<(), netprocmon::Error>(())
//! ```
//!
//! # What the numbers mean
//!
//! Two pairs of numbers are easily confused. `bytes_sent` and `bytes_recv` are **wire bytes**: IP
//! header and everything in it, of every packet after segmentation, with retransmissions and bare
//! acknowledgements. `payload_sent` and `payload_recv` are **application bytes**: what the
//! program's own calls moved, each byte once. See [`Counters`].
//!
//! # What it needs
//!
//! Linux 5.11 or later with BTF, and root or `CAP_BPF` + `CAP_PERFMON` + `CAP_NET_ADMIN`. An
//! [`Error`] says what is missing and the command that grants it.
//!
//! # What it does not do
//!
//! It starts no thread that outlives a call (but for [`MonitorBuilder::reverse_lookup`], when that
//! was asked for) and owns no event loop: a [`Monitor`] is a file
//! descriptor to poll ([`std::os::fd::AsFd`]), or give it a thread of your own and
//! [`Monitor::wait`].

mod builder;
mod directory;
mod doctor;
mod error;
mod interfaces;
mod monitor;
pub mod ports;
mod reverse;
pub mod sockets;
mod source;
mod ticker;
mod watched;

pub use builder::MonitorBuilder;
pub use doctor::{Diagnosis, Verdict, doctor};
pub use error::{Error, ErrorKind};
pub use monitor::Monitor;
pub use netprocmon_ebpf::Capacity;
pub use netprocmon_host as host;
pub use netprocmon_model::*;
pub use source::{NoSuchSource, SourceChoice};
pub use ticker::Ticker;
pub use watched::{Children, Traffic};
