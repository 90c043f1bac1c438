//! What is asked for: processes and the addresses that counting is restricted to; and what the
//! processes that were asked for have moved.
//!
//! Everything comes down to one [`Selection`] for the ledger, made anew when something was added,
//! taken away, or when an interface has changed.

use std::net::IpAddr;
use std::sync::Arc;

use netprocmon_host::ancestry::Ancestry;
use netprocmon_host::tree::TreeNumber;
use netprocmon_host::{interface, process};
use netprocmon_model::{Counters, InterfaceId, Observation, Pid, Selection};

use super::Monitor;
use crate::error::{no_such_address, no_such_process};
use crate::watched::Watched;
use crate::{Children, Error, Traffic};

impl Monitor {
    /// Watches a process too, from what it has moved by now. Adding it again starts it anew.
    ///
    /// ```no_run
    /// # use netprocmon::{Children, Monitor, Pid};
    /// # let mut monitor = Monitor::builder().start()?;
    /// monitor.add_pid(Pid(586), Children::Ignore)?;
    /// for one in monitor.traffic(Pid(586))? {
    ///     println!("{:?}: {:?} sent", one.interface_name, one.counters.bytes_sent);
    /// }
    /// monitor.remove_pid(Pid(586));
    /// # Ok::<(), netprocmon::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoSuchProcess`](crate::ErrorKind::NoSuchProcess).
    pub fn add_pid(&mut self, pid: Pid, children: Children) -> Result<(), Error> {
        let mut facts = process::read(pid).ok_or_else(|| no_such_process(pid))?;
        self.collect();
        self.remove_pid(pid);
        let id = facts.id;
        let tree = match children {
            Children::Ignore => None,
            Children::Follow => Some(self.follow(pid)?),
        };
        if self.ledger.process(id).is_none() {
            facts.parents = Ancestry::default().of(&facts, |_| None);
            self.ledger.observe(Observation::Process(Arc::new(facts)));
        }
        self.ledger.keep(id);
        let before = self.ledger.traffic_of(id).into_iter().collect();
        self.watched.insert(pid, Watched { id, before, tree });
        self.select();
        Ok(())
    }

    /// Stops watching a process and forgets its counts; whether it was watched.
    pub fn remove_pid(&mut self, pid: Pid) -> bool {
        let Some(watched) = self.watched.remove(&pid) else {
            return false;
        };
        self.ledger.release(watched.id);
        if let Some(tree) = watched.tree {
            for member in self.source.members_of_tree(tree) {
                self.source.leave_tree(member);
            }
            self.trees.remove(&pid);
        }
        self.select();
        true
    }

    /// The processes that are watched, those that have ended included, in order.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        self.watched.keys().copied().collect()
    }

    /// Watches no process in particular: the whole host, unless names or cgroups were asked for.
    pub fn clear_pids(&mut self) {
        for pid in self.pids() {
            self.remove_pid(pid);
        }
    }

    /// Restricts counting to the interface with this local address, beside those already added.
    ///
    /// ```no_run
    /// # let mut monitor = netprocmon::Monitor::builder().start()?;
    /// monitor.add_address("10.0.0.21".parse().expect("an address"))?;
    /// println!("listening to {:?}", monitor.listen_interfaces()?);
    /// # Ok::<(), netprocmon::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoSuchAddress`](crate::ErrorKind::NoSuchAddress).
    pub fn add_address(&mut self, address: IpAddr) -> Result<(), Error> {
        let fresh = self.interfaces.with_address(address).next().is_some();
        if !fresh {
            self.interfaces.refresh();
            let found = self.interfaces.with_address(address).next();
            found.ok_or_else(|| no_such_address(address))?;
        }
        self.addresses.insert(address);
        self.select();
        Ok(())
    }

    /// Lifts the restriction to an address; whether there was one.
    pub fn remove_address(&mut self, address: IpAddr) -> bool {
        let was = self.addresses.remove(&address);
        self.select();
        was
    }

    /// The addresses that counting is restricted to, in order; none is no restriction.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.iter().copied().collect()
    }

    /// Lifts all restrictions to addresses.
    pub fn clear_addresses(&mut self) {
        self.addresses.clear();
        self.select();
    }

    /// The local addresses listened to, in this network namespace.
    pub fn listen_addresses(&self) -> Result<Vec<IpAddr>, Error> {
        let listened = self.listened()?.into_iter();
        Ok(listened.flat_map(|interface| interface.addresses).collect())
    }

    /// The names of the interfaces listened to, in this network namespace.
    pub fn listen_interfaces(&self) -> Result<Vec<Arc<str>>, Error> {
        Ok(self
            .listened()?
            .into_iter()
            .map(|interface| interface.name)
            .collect())
    }

    /// The interface of a local address, when it is listened to.
    pub fn listen_interface_by_address(&self, address: IpAddr) -> Result<Option<Arc<str>>, Error> {
        let mut listened = self.listened()?.into_iter();
        let found = listened.find(|interface| interface.addresses.contains(&address));
        Ok(found.map(|interface| interface.name))
    }

    /// What a process moved, one record per interface: since it was added when it was, else since
    /// the monitor started. A watched process that has ended keeps its counts.
    ///
    /// # Errors
    ///
    /// [`NoSuchProcess`](crate::ErrorKind::NoSuchProcess) for a pid that is neither watched nor a process.
    pub fn traffic(&mut self, pid: Pid) -> Result<Vec<Traffic>, Error> {
        self.collect();
        let watched = self.watched.get(&pid);
        let Some(id) = watched
            .map(|watched| watched.id)
            .or_else(|| self.ledger.latest(pid))
        else {
            let exists = process::exists(pid).then(Vec::new);
            return exists.ok_or_else(|| no_such_process(pid));
        };
        let since = |interface: InterfaceId, counters: Counters| match watched {
            Some(watched) => watched.since(interface, counters),
            None => counters,
        };
        let all = self.ledger.traffic_of(id).into_iter();
        let selection = self.ledger.selection();
        let taken = all.filter(|(interface, _)| selection.takes_interface(*interface));
        Ok(taken
            .map(|(interface, counters)| Traffic {
                pid,
                interface,
                interface_name: self.interfaces.name(interface),
                counters: since(interface, counters),
            })
            .collect())
    }

    /// Follows a process that lives, with the descendants that it has.
    fn follow(&mut self, root: Pid) -> Result<TreeNumber, Error> {
        let tree = self.source.open_tree();
        self.source.name_tree(tree, root);
        self.source.join_tree(tree, root)?;
        // Twice: a child may have been born between the look and the mark of its parent.
        for _ in 0..2 {
            for member in process::descendants(root) {
                self.source.join_tree(tree, member)?;
            }
        }
        self.trees.insert(root, tree);
        Ok(tree)
    }

    /// Tells the ledger what is asked for now.
    pub(super) fn select(&mut self) {
        let restricted = !self.interface_names.is_empty() || !self.addresses.is_empty();
        let named = self
            .interface_names
            .iter()
            .flat_map(|name| self.interfaces.named(name));
        let addressed = self
            .addresses
            .iter()
            .flat_map(|one| self.interfaces.with_address(*one));
        let selection = Selection {
            pids: self.watched.keys().copied().collect(),
            trees: self.trees.keys().copied().collect(),
            names: self.names.clone(),
            cgroups: self.cgroups.clone(),
            interfaces: restricted.then(|| named.chain(addressed).collect()),
        };
        self.selected_version = self.interfaces.version();
        if *self.ledger.selection() != selection {
            self.ledger.select(selection);
        }
    }

    /// The interfaces of this namespace that pass the restrictions.
    fn listened(&self) -> Result<Vec<interface::Interface>, Error> {
        let all = interface::list().map_err(|error| Error::io("list the interfaces", error))?;
        let restricted = !self.interface_names.is_empty() || !self.addresses.is_empty();
        let taken = |one: &interface::Interface| {
            !restricted
                || self.interface_names.contains(&*one.name)
                || one
                    .addresses
                    .iter()
                    .any(|address| self.addresses.contains(address))
        };
        Ok(all.into_iter().filter(taken).collect())
    }
}
