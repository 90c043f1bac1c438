//! Network namespaces, links, name servers and cgroups that the lab makes and removes.

mod cgroup;
mod link;
mod loss;
mod namespace;
mod overlay;
mod resolver;

pub use cgroup::{Cgroup, Cgroups};
pub use link::{Device, End, Header, Link, Offload};
pub use namespace::{Namespace, sweep};
pub use overlay::Overlay;
pub use resolver::Resolver;
