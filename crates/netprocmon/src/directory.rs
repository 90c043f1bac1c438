//! What the host's own files, the databases that the user gave and (by option) the resolver say of
//! addresses and ports: the ledger's [`Directory`].

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use netprocmon_host::hosts::Hosts;
use netprocmon_host::origin::OriginDatabase;
use netprocmon_host::{netns, services};
use netprocmon_model::{Directory, NetnsId, Origin, Protocol, Scope};

use crate::Error;
use crate::reverse::Reverse;

/// Answers at once, from memory.
pub(crate) struct HostDirectory {
    /// The namespace that the hosts file and the resolver speak of.
    own: Option<NetnsId>,
    hosts: RwLock<Hosts>,
    /// How often the hosts file was read.
    hosts_read: AtomicU64,
    origins: Vec<OriginDatabase>,
    reverse: Option<Reverse>,
}

impl HostDirectory {
    /// Opens the databases, and starts the thread that looks names up where that is wanted.
    pub(crate) fn open(origins: &[PathBuf], reverse_lookup: bool) -> Result<Self, Error> {
        let open = |path: &PathBuf| OriginDatabase::open(path).map_err(Error::origins);
        let reverse = reverse_lookup.then(Reverse::start).transpose();
        let directory = Self {
            own: netns::current().ok(),
            hosts: RwLock::default(),
            hosts_read: AtomicU64::new(0),
            origins: origins.iter().map(open).collect::<Result<_, _>>()?,
            reverse: reverse
                .map_err(|error| Error::io("start the thread that looks names up", error))?,
        };
        directory.refresh();
        Ok(directory)
    }

    /// Reads the hosts file again where it has changed: one system call where it has not.
    pub(crate) fn refresh(&self) {
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        if hosts.refresh() {
            self.hosts_read.fetch_add(1, Relaxed);
        }
    }

    /// A namespace of its own may use a private address for another host than we do.
    fn means_the_same(&self, netns: NetnsId, scope: Scope) -> bool {
        Some(netns) == self.own || scope == Scope::Public
    }
}

impl Directory for HostDirectory {
    fn service(&self, protocol: Protocol, port: u16) -> Option<Arc<str>> {
        services::name(port, protocol)
    }

    fn origin(&self, address: IpAddr) -> Option<Arc<Origin>> {
        let found = self.origins.iter().filter_map(|one| one.lookup(address));
        found.reduce(completed).map(Arc::new)
    }

    fn name(&self, netns: NetnsId, address: IpAddr) -> Option<Arc<str>> {
        if Some(netns) == self.own {
            let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(name) = hosts.name(address) {
                return Some(Arc::clone(name));
            }
        }
        let scope = Scope::of(address);
        let has_a_name = !matches!(scope, Scope::Loopback | Scope::Multicast);
        self.reverse
            .as_ref()
            .filter(|_| has_a_name && self.means_the_same(netns, scope))?
            .name(address)
    }

    fn revision(&self) -> u64 {
        let looked_up = self.reverse.as_ref().map_or(0, Reverse::revision);
        self.hosts_read.load(Relaxed).wrapping_add(looked_up)
    }
}

/// What the first says, field by field, and where that is nothing the other: countries are in one
/// database, networks in another.
fn completed(first: Origin, other: Origin) -> Origin {
    Origin {
        country: first.country.or(other.country),
        asn: first.asn.or(other.asn),
        organization: first.organization.or(other.organization),
    }
}

impl fmt::Debug for HostDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins: Vec<_> = self.origins.iter().map(OriginDatabase::kind).collect();
        f.debug_struct("HostDirectory")
            .field("own", &self.own)
            .field("origins", &origins)
            .field("reverse", &self.reverse)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::ErrorKind;

    const HERE: NetnsId = NetnsId::new(7);
    const ELSEWHERE: NetnsId = NetnsId::new(8);

    fn directory(hosts: Hosts, reverse: Option<Reverse>) -> HostDirectory {
        let directory = HostDirectory {
            own: Some(HERE),
            hosts: RwLock::new(hosts),
            hosts_read: AtomicU64::new(0),
            origins: Vec::new(),
            reverse,
        };
        directory.refresh();
        directory
    }

    #[test]
    fn the_hosts_file_speaks_of_its_own_namespace_and_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "10.0.0.1 router\n").unwrap();
        let directory = directory(Hosts::new(file.path()), None);
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(directory.name(HERE, address).as_deref(), Some("router"));
        assert_eq!(directory.name(ELSEWHERE, address), None);
        let revision = directory.revision();
        directory.refresh();
        assert_eq!(directory.revision(), revision);
        fs::write(&file, "10.0.0.1 gateway\n").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        file.as_file().set_modified(later).unwrap();
        directory.refresh();
        assert_ne!(directory.revision(), revision);
        assert_eq!(directory.name(HERE, address).as_deref(), Some("gateway"));
    }

    #[test]
    fn only_what_means_the_same_everywhere_is_looked_up_for_another_namespace() {
        let reverse = || Some(Reverse::counting());
        for (netns, address, is_asked) in [
            (HERE, "127.0.0.1", false),
            (HERE, "::ffff:127.0.0.1", false),
            (HERE, "224.0.0.251", false),
            (HERE, "10.0.0.1", true),
            (HERE, "198.51.100.7", true),
            (ELSEWHERE, "10.0.0.1", false),
            (ELSEWHERE, "fe80::1", false),
            (ELSEWHERE, "198.51.100.7", true),
        ] {
            let directory = directory(Hosts::new("/nowhere"), reverse());
            assert_eq!(directory.name(netns, address.parse().unwrap()), None);
            let asked = directory.reverse.as_ref().map(Reverse::known);
            assert_eq!(asked, Some(usize::from(is_asked)), "{netns} {address}");
        }
    }

    #[test]
    fn a_database_that_cannot_be_opened_is_named() {
        let error = HostDirectory::open(&["/nowhere/asn.mmdb".into()], false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidDatabase);
        assert!(error.to_string().contains("/nowhere/asn.mmdb"), "{error}");
        assert!(error.source().is_some() && error.remedy().is_some());
    }

    #[test]
    fn of_several_databases_the_first_that_knows() {
        let country = |country: &str| Origin {
            country: Some(country.into()),
            ..Origin::default()
        };
        let network = Origin {
            asn: Some(64_496),
            organization: Some("Example".into()),
            ..country("US")
        };
        let all = completed(country("DE"), network.clone());
        assert_eq!(all.country.as_deref(), Some("DE"));
        assert_eq!(
            (all.asn, all.organization.as_deref()),
            (Some(64_496), Some("Example"))
        );
        assert_eq!(completed(network.clone(), country("DE")), network);
    }

    #[test]
    fn services_have_their_registered_names() {
        let directory = directory(Hosts::new("/nowhere"), None);
        let has_the_file = fs::exists("/etc/services").unwrap();
        let https = directory.service(Protocol::TCP, 443);
        assert_eq!(https.as_deref(), has_the_file.then_some("https"));
    }
}
