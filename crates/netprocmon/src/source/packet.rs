//! The packet source behind the trait.

use netprocmon_host::interface::NewInterface;
use netprocmon_host::privilege::Capability;
use netprocmon_host::tree::TreeNumber;
use netprocmon_model::{Degradation, Pid, SourceKind};
use netprocmon_packet::{Options, PacketSource};

use super::{Sink, Source};
use crate::{Error, MonitorBuilder};

pub(super) fn start(asked: &MonitorBuilder) -> Result<Box<dyn Source>, Error> {
    let options = Options {
        connections: asked.connections,
    };
    Ok(Box::new(PacketSource::start(options)?))
}

impl Source for PacketSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Packet
    }

    fn needs(&self) -> &'static [Capability] {
        netprocmon_packet::NEEDS
    }

    fn degradations(&self) -> &[Degradation] {
        self.degradations()
    }

    fn collect(&mut self, sink: Sink<'_>) {
        self.collect(sink);
    }

    /// Its own thread has attended to everything but the new namespaces, which
    /// [`take_new_interfaces`](Source::take_new_interfaces) hands over.
    fn attend(&mut self, _: Sink<'_>) {}

    fn take_new_interfaces(&mut self) -> Vec<NewInterface> {
        self.take_new_interfaces()
    }

    fn open_tree(&mut self) -> TreeNumber {
        self.open_tree()
    }

    fn name_tree(&mut self, tree: TreeNumber, root: Pid) {
        self.name_tree(tree, root);
    }

    fn join_tree(&mut self, tree: TreeNumber, member: Pid) -> Result<(), Error> {
        self.join_tree(tree, member);
        Ok(())
    }

    fn leave_tree(&mut self, member: Pid) {
        self.leave_tree(member);
    }

    fn members_of_tree(&self, tree: TreeNumber) -> Vec<Pid> {
        self.members_of_tree(tree)
    }
}
