//! The lab: proves on a real kernel that the numbers are right.
//!
//! It makes network namespaces and links of its own ([`net`]), lets processes move exactly known
//! amounts ([`generate`]), asks the kernel itself what went over each link ([`truth`]), and
//! compares that with a [`netprocmon::Snapshot`] ([`verify`]). A scenario is a row of [`table`];
//! [`runner`] runs the rows and prints what came out. Everything happens in namespaces that the lab
//! made and removes: no packet leaves the machine.
//!
//! Nothing here shares code with the monitor's own reading of the kernel: the lab talks to `ip`,
//! `nft`, `ethtool` and `bpftool`, so that a mistake cannot agree with itself.
//!
//! Needs root. Where a row cannot run it is reported as skipped with the reason, never as passed.

pub mod bench;
pub mod generate;
pub mod net;
pub mod peer;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod soak;
pub mod stage;
pub mod table;
pub mod tool;
pub mod truth;
pub mod verify;
pub mod wait;
