//! What can be known about one row: what a term asks for, looked up.
//!
//! Every look-up says "not known" by visiting nothing; a term about what is not known is false.

use jiff::{SignedDuration, Timestamp};

use super::field::Field;
use super::matcher::Test;
use super::value::canonical;
use crate::{
    ConnectionUsage, Counters, Direction, InterfaceId, Process, ProcessUsage, Protocol, Reason,
};

/// One thing that a filter takes or leaves: a process, its share of an interface or a protocol, a
/// connection of it, or bytes that no process is charged with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) process: Option<&'a ProcessUsage>,
    pub(super) connection: Option<&'a ConnectionUsage>,
    pub(super) interface: Option<(InterfaceId, Option<&'a str>)>,
    pub(super) protocol: Option<Protocol>,
    pub(super) reason: Option<Reason>,
    /// Its own, not its process's.
    pub(super) counters: &'a Counters,
    pub(super) now: Timestamp,
}

impl<'a> Row<'a> {
    /// What a field is here; `tree` and bare words are not looked up but decided elsewhere.
    pub(super) fn passes(&self, field: Field, test: &Test, negated: bool) -> bool {
        let passes = match field {
            Field::Local => self.address(test, |one| Some((one.connection.local, None))),
            Field::Remote => self.address(test, |one| {
                Some((
                    one.connection.remote?,
                    one.connection.remote_name.as_deref(),
                ))
            }),
            Field::Lport => self.ports(test, true, false),
            Field::Rport => self.ports(test, false, true),
            Field::Port => self.ports(test, true, true),
            _ => self
                .number(field)
                .map(|number| test.takes_number(number))
                .or_else(|| self.texts(field, test)),
        };
        passes.is_some_and(|passes| passes != negated)
    }

    fn facts(&self) -> Option<&'a Process> {
        self.process.map(|usage| &*usage.process)
    }

    fn number(&self, field: Field) -> Option<u64> {
        let counters = self.counters;
        let both = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        match field {
            Field::Pid => Some(self.facts()?.pid.0.into()),
            Field::Ppid => Some(self.facts()?.ppid?.0.into()),
            Field::Netns => Some(self.interface?.0.netns.inode.into()).filter(|&netns| netns != 0),
            Field::Age => self.age(),
            Field::Sent => counters.bytes_sent,
            Field::Recv => counters.bytes_recv,
            Field::Total => both(counters.bytes_sent, counters.bytes_recv),
            Field::Payload => both(counters.payload_sent, counters.payload_recv),
            Field::Retransmitted => counters.retransmitted_bytes,
            Field::Rate => {
                let rates = self.process?.rates;
                whole(rates.sent? + rates.recv?)
            }
            _ => None,
        }
    }

    /// How long it has lived, or lived, in nanoseconds.
    fn age(&self) -> Option<u64> {
        let (from, to) = if let Some(one) = self.connection {
            (one.connection.opened, one.connection.closed)
        } else {
            let facts = self.facts()?;
            (facts.started, facts.exited)
        };
        let age: SignedDuration = to.unwrap_or(self.now).duration_since(from?);
        u64::try_from(age.as_nanos().max(0)).ok()
    }

    /// Whether any of the texts that the field is passes; `None` where it has none.
    fn texts(&self, field: Field, test: &Test) -> Option<bool> {
        let mut known = None;
        let mut see = |text: &str| {
            known = Some(known == Some(true) || test.takes_text(text));
        };
        match field {
            Field::Interface => self.interface?.1.into_iter().for_each(see),
            Field::Protocol => see(&self.protocol?.to_string()),
            Field::Reason => see(self.reason?.name()),
            Field::State => see(self.connection?.connection.state.name()),
            Field::Direction => see(match self.connection?.connection.direction? {
                Direction::In => "in",
                Direction::Out => "out",
            }),
            Field::Scope => see(self.connection?.connection.scope?.name()),
            Field::Service => see(self.connection?.connection.service.as_deref()?),
            Field::Peer => {
                let peer = self.connection?.connection.peer.as_ref()?;
                see(&peer.name);
                see(&peer.process.pid.to_string());
            }
            _ => process_texts(self.facts()?, field, &mut see),
        }
        known
    }

    fn address(
        &self,
        test: &Test,
        end: impl Fn(&'a ConnectionUsage) -> Option<(std::net::SocketAddr, Option<&'a str>)>,
    ) -> Option<bool> {
        let (socket, name) = end(self.connection?)?;
        Some(match test {
            Test::Address(pattern) | Test::Bare(_, Some(pattern))
                if pattern.takes(socket, name) =>
            {
                true
            }
            Test::Address(_) => false,
            _ => {
                name.is_some_and(|name| test.takes_text(name))
                    || test.takes_text(&canonical(socket).ip().to_string())
            }
        })
    }

    fn ports(&self, test: &Test, local: bool, remote: bool) -> Option<bool> {
        let one = &self.connection?.connection;
        // Without ports there is none to be 0.
        one.protocol.has_ports().then_some(())?;
        if let Test::Service(wanted) = test {
            // The service is that of the end that was connected to.
            let here = local && one.direction != Some(Direction::Out);
            let there = remote && one.direction != Some(Direction::In);
            let service = one.service.as_deref()?;
            return Some((here || there) && service.eq_ignore_ascii_case(wanted));
        }
        let local = local.then(|| one.local.port());
        let remote = one.remote.filter(|_| remote).map(|remote| remote.port());
        let mut ports = local.into_iter().chain(remote).peekable();
        ports.peek()?;
        Some(ports.any(|port| test.takes_number(port.into())))
    }

    /// Whether the bare word is in what the connection's other end is called.
    pub(super) fn remote_passes(&self, test: &Test) -> bool {
        self.passes(Field::Remote, test, false)
    }
}

/// Whether a bare word is in what the process is called.
pub(super) fn process_passes(process: &Process, test: &Test) -> bool {
    const CALLED: [Field; 6] = [
        Field::Name,
        Field::Command,
        Field::Script,
        Field::Unit,
        Field::Container,
        Field::Pod,
    ];
    let mut any = false;
    for field in CALLED {
        process_texts(process, field, &mut |text| {
            any = any || test.takes_text(text);
        });
    }
    any
}

fn process_texts(process: &Process, field: Field, see: &mut dyn FnMut(&str)) {
    let place = &process.place;
    match field {
        Field::Name => {
            see(&process.name);
            // The whole name, where the kernel has cut it.
            if process.script.is_none() && *process.title() != *process.name {
                see(&process.title());
            }
        }
        Field::Exe => process.exe.as_deref().into_iter().for_each(see),
        Field::Script => process.script.as_deref().into_iter().for_each(see),
        Field::Command => {
            if let Some(command) = &process.command {
                see(&command.join(" "));
            }
        }
        Field::User => {
            process.user.as_deref().into_iter().for_each(&mut *see);
            process.uid.iter().for_each(|uid| see(&uid.to_string()));
        }
        Field::Unit => {
            for unit in place.unit.iter().chain(&place.user_unit) {
                see(unit);
                unit.strip_suffix(".service")
                    .into_iter()
                    .for_each(&mut *see);
            }
        }
        Field::Slice => place.slice.as_deref().into_iter().for_each(see),
        Field::Container => {
            if let Some(container) = &place.container {
                see(container.label());
                see(&container.id);
            }
        }
        Field::Image => {
            let image = place
                .container
                .as_ref()
                .and_then(|one| one.image.as_deref());
            image.into_iter().for_each(see);
        }
        Field::Pod => {
            if let Some(pod) = &place.pod {
                see(pod.label());
                see(&pod.uid);
            }
        }
        Field::Namespace => {
            let namespace = place.pod.as_ref().and_then(|one| one.namespace.as_deref());
            namespace.into_iter().for_each(see);
        }
        _ => {}
    }
}

/// A rate in whole bytes, upwards: what moves at all is above 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, and is not negative
fn whole(rate: f64) -> Option<u64> {
    (!rate.is_nan()).then(|| rate.max(0.0).ceil() as u64)
}
