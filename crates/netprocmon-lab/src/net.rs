//! Network namespaces and links that the lab makes and removes.

mod link;
mod loss;
mod namespace;
mod overlay;

pub use link::{Device, End, Header, Link, Offload};
pub use namespace::{Namespace, sweep};
pub use overlay::Overlay;
