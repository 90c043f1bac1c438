//! The eBPF source of netprocmon: the kernel counts every byte of every socket where it already
//! knows the socket, and this crate loads that, reads it, and says what it saw.
//!
//! `bpf/` holds the kernel side, in C, with the header that both sides share; the compiled object
//! is committed, so that nobody needs clang to build this. Here: `loader` puts the programs in
//! place, `books` reads the counters, `census` knows the processes, `conversations` the
//! connections, and `source` makes observations of it all.
//!
//! Not here: adding up (the ledger of `netprocmon-model`), names of interfaces, and anything that
//! is shown to people.

mod abi;
mod books;
mod capacity;
mod census;
mod conversations;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hooks;
mod limits;
mod loader;
mod mapped;
mod messages;
mod rows;
mod skipped;
mod source;

pub use capacity::Capacity;
pub use error::{EbpfError, EbpfErrorKind};
pub use source::{EbpfSource, Options};
