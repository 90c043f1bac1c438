//! The eBPF source behind the trait.

use netprocmon_ebpf::{EbpfSource, Options};
use netprocmon_host::interface::NewInterface;
use netprocmon_host::privilege::Capability::{self, Bpf, DacReadSearch, SysAdmin, SysPtrace};
use netprocmon_host::tree::TreeNumber;
use netprocmon_model::{Degradation, Pid, SourceKind};

use super::{Sink, Source};
use crate::{Error, MonitorBuilder};

pub(super) fn start(asked: &MonitorBuilder) -> Result<Box<dyn Source>, Error> {
    let options = Options {
        connections: asked.connections,
        names: asked.remote_names.unwrap_or(asked.connections),
        capacity: asked.capacity,
        refuse: asked.refuse,
        ..Options::default()
    };
    Ok(Box::new(EbpfSource::start(options)?))
}

impl Source for EbpfSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Ebpf
    }

    /// To look at processes and into namespaces, and into the maps: where unprivileged bpf(2) is
    /// off, kernels before 5.19 refuse even that (`kernel.unprivileged_bpf_disabled`).
    fn needs(&self) -> &'static [Capability] {
        &[DacReadSearch, SysPtrace, SysAdmin, Bpf]
    }

    fn degradations(&self) -> &[Degradation] {
        self.degradations()
    }

    fn collect(&mut self, sink: Sink<'_>) {
        self.collect(sink);
    }

    fn attend(&mut self, sink: Sink<'_>) {
        self.drain_events(&mut |observation| sink(observation));
    }

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
        Ok(self.join_tree(tree, member)?)
    }

    fn leave_tree(&mut self, member: Pid) {
        self.leave_tree(member);
    }

    fn members_of_tree(&self, tree: TreeNumber) -> Vec<Pid> {
        self.members_of_tree(tree)
    }
}
