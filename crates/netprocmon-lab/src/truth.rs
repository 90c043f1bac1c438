//! What the kernel itself says went over a link: the truths that ours is held against.

mod device;
pub mod filter;
pub mod snmp;
pub mod trace;

pub use device::{Moved, read};
