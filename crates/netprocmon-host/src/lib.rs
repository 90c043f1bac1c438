//! Facts about this Linux host: processes, sockets, interfaces, namespaces, cgroups, privileges.
//!
//! Everything here is a question that the kernel answers now; nothing is counted, remembered
//! between calls (but for names, in the rooms that say so) or changed, but for the calling thread's own
//! rights (`privilege::reduce`). A source asks it for what the traffic itself
//! does not say, and the command line asks it for its listings.
//!
//! All that is read here is hostile input: processes choose their names and arguments, and what
//! was there a moment ago may be gone. A vanished process is `None`, an entry that cannot be read
//! is skipped, and nothing panics. What the kernel hands over is taken apart by pure functions,
//! which are tested on recordings and on noise.
//!
//! `/proc` is read with plain reads rather than with a crate: what is needed is a few fields of
//! five small files, all through one descriptor of `/proc/PID`, so that a reused pid cannot mix
//! two processes in one answer.

pub mod ancestry;
pub mod cgroup;
pub mod clock;
pub mod confinement;
pub mod dns;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod hosts;
pub mod interface;
mod mountinfo;
mod netlink;
pub mod netns;
pub mod origin;
pub mod place;
pub mod privilege;
pub mod process;
pub mod route;
pub mod script;
pub mod services;
pub mod socket;
pub mod sudo;
pub mod tree;
pub mod user;

pub use clock::BootClock;
pub use error::HostError;
