//! Interfaces of several namespaces at once, so that a veth's peer can be asked for what it does.
//!
//! A sampler surveys when an interface appears and now and then after that, keeps the
//! [`Counting`], and reads the counters alone ([`super::list_links`]) in between.

use std::io;

use netprocmon_model::NetnsId;

use super::{Counting, Interface, Offloads, counting, list, offloads};
use crate::HostError;
use crate::netns::{self, Netns};

/// An interface, where it stands, and how it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// The namespace in which it stands.
    pub netns: NetnsId,
    /// What the kernel says of it.
    pub interface: Interface,
    /// What it takes on; the default (nothing) where it could not be asked.
    pub offloads: Offloads,
    /// How to read its counters.
    pub counting: Counting,
}

/// The interfaces of these namespaces, and the errors of those that could not be asked.
#[must_use]
pub fn survey(namespaces: &[Netns]) -> (Vec<Surveyed>, Vec<HostError>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    let answers = netns::enter(namespaces, |netns| one(netns.id));
    for (netns, answer) in namespaces.iter().zip(answers) {
        match answer {
            Ok(Ok(interfaces)) => found.extend(interfaces),
            Ok(Err(error)) => {
                let object = format!("network namespace {}", netns.id);
                errors.push(HostError::new("list interfaces of", object, error));
            }
            Err(error) => errors.push(error),
        }
    }
    for place in 0..found.len() {
        let Some(this) = found.get(place) else { break };
        let peer = peer(this, &found).map(|peer| &peer.offloads);
        let counting = counting(&this.interface, &this.offloads, peer);
        if let Some(this) = found.get_mut(place) {
            this.counting = counting;
        }
    }
    (found, errors)
}

/// The interfaces of the calling thread's namespace, their counting still to be filled in.
fn one(netns: NetnsId) -> io::Result<Vec<Surveyed>> {
    let interfaces = list()?.into_iter();
    Ok(interfaces
        .map(|interface| Surveyed {
            netns,
            // A device that was removed or renamed just now: nothing to lose by a guess.
            offloads: offloads(&interface.name).unwrap_or_default(),
            interface,
            counting: Counting::default(),
        })
        .collect())
}

/// The other end of a veth among these: the two name each other's index. `None` where it is in
/// none of these namespaces, or where several answer to the description.
fn peer<'a>(this: &Surveyed, all: &'a [Surveyed]) -> Option<&'a Surveyed> {
    let end = &this.interface;
    (end.kind.as_deref() == Some("veth")).then_some(())?;
    let mut candidates = all.iter().filter(|other| {
        let same_netns = other.netns == this.netns;
        other.interface.kind == end.kind
            && Some(other.interface.index) == end.link_index
            && other.interface.link_index == Some(end.index)
            && same_netns == end.link_netnsid.is_none()
            && !(same_netns && other.interface.index == end.index)
    });
    candidates.next().filter(|_| candidates.next().is_none())
}

#[cfg(test)]
mod tests {
    use netprocmon_model::DeviceCounters;

    use super::*;

    fn veth(netns: u32, index: u32, link: u32, abroad: bool) -> Surveyed {
        Surveyed {
            netns: NetnsId::new(netns),
            interface: Interface {
                index,
                name: "v".into(),
                link_type: 1,
                kind: Some("veth".into()),
                loopback: false,
                up: true,
                stats: DeviceCounters::default(),
                addresses: Vec::new(),
                link_index: Some(link),
                link_netnsid: abroad.then_some(0),
                master_index: None,
            },
            offloads: Offloads::default(),
            counting: Counting::default(),
        }
    }

    #[test]
    fn ends_name_each_other() {
        let all = [
            veth(1, 7, 2, true),
            veth(2, 2, 7, true),
            veth(3, 2, 8, true),
        ];
        assert_eq!(peer(&all[0], &all), Some(&all[1]));
        assert_eq!(peer(&all[1], &all), Some(&all[0]));
        assert_eq!(peer(&all[2], &all), None);
    }

    #[test]
    fn two_that_fit_are_none() {
        let all = [
            veth(1, 7, 2, true),
            veth(2, 2, 7, true),
            veth(3, 2, 7, true),
        ];
        assert_eq!(peer(&all[0], &all), None);
    }

    #[test]
    fn both_ends_in_one_namespace() {
        let all = [
            veth(1, 3, 4, false),
            veth(1, 4, 3, false),
            veth(2, 4, 3, true),
        ];
        assert_eq!(peer(&all[0], &all), Some(&all[1]));
    }
}
