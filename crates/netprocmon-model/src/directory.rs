//! What is known about addresses and ports without the traffic saying it: services, origins, names.
//!
//! The model asks nobody by itself; whoever makes the [`Ledger`](crate::Ledger) gives it a
//! [`Directory`]. Not here: names from DNS answers, which are observations.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::{NetnsId, Origin, Protocol};

/// Looks up what is known at this moment. Never blocks: it is asked in the middle of a tick.
///
/// Asked when a connection is first followed. Only a name that was not there is asked for again, at
/// later readings of the connection and before the next snapshot, after
/// [`revision`](Self::revision) has changed.
///
/// ```
/// use std::sync::Arc;
/// use netprocmon_model::{Directory, Ledger, Protocol, Retention, SourceKind};
///
/// #[derive(Debug)]
/// struct Web;
///
/// impl Directory for Web {
///     fn service(&self, protocol: Protocol, port: u16) -> Option<Arc<str>> {
///         (protocol == Protocol::TCP && port == 443).then(|| "https".into())
///     }
/// }
///
/// let ledger = Ledger::new(SourceKind::Ebpf, Retention::Keep, true).with_directory(Arc::new(Web));
/// # drop(ledger);
/// ```
pub trait Directory: fmt::Debug + Send + Sync {
    /// The service that a port is registered for: `https` for 443 of TCP.
    fn service(&self, protocol: Protocol, port: u16) -> Option<Arc<str>> {
        let _ = (protocol, port);
        None
    }

    /// Where an address is said to be.
    fn origin(&self, address: IpAddr) -> Option<Arc<Origin>> {
        let _ = address;
        None
    }

    /// The name of an address in a namespace, where no DNS answer has told it. One that is being
    /// found out is `None` now, and [`revision`](Self::revision) changes when it has been.
    fn name(&self, netns: NetnsId, address: IpAddr) -> Option<Arc<str>> {
        let _ = (netns, address);
        None
    }

    /// Changes when [`name`](Self::name) may have an answer that it did not have before.
    fn revision(&self) -> u64 {
        0
    }
}

/// Knows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoDirectory;

impl Directory for NoDirectory {}
