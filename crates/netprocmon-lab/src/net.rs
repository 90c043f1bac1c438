//! Network namespaces and links that the lab makes and removes.

mod link;
mod namespace;

pub use link::{Device, End, Header, Link, Offload};
pub use namespace::{Namespace, sweep};
