//! Doors for fuzzing: what takes bytes from outside in this crate, each behind a function of bytes.
//!
//! Only with the feature `fuzzing`, for netprocmon-fuzz, and no part of the interface. A door panics
//! where what is behind it panics, or breaks a promise that is asserted here.
#![allow(clippy::panic)] // that is what it is for

use std::net::{Ipv4Addr, SocketAddr};

use netprocmon_model::{NetnsId, Protocol};

use crate::dns::{Heard, Listener};
use crate::interface::link;
use crate::process::stat::{self, Stat, Status};
use crate::socket::diag::{self, DUMPS};
use crate::{hosts, mountinfo, netlink, place, script, services, user};

const NETNS: NetnsId = NetnsId::new(1);

/// A datagram of the kernel's: links, addresses, sockets.
pub fn netlink(bytes: &[u8]) {
    for message in netlink::messages(bytes) {
        assert!(message.body.len() <= bytes.len());
        drop(netlink::status(message.body));
        if let Some(interface) = link::interface(message.body) {
            assert_ne!(interface.index, 0);
        }
        link::address(message.body);
        for dump in DUMPS {
            if let Some(socket) = diag::parse(dump, NETNS, message.body) {
                let info = socket.tcp.unwrap_or_default();
                let _ = info.payload_sent();
                let _ = info.payload_recv(socket.state);
            }
        }
    }
}

/// The files of one process.
pub fn process(bytes: &[u8]) {
    if let Some(stat) = Stat::parse(bytes) {
        assert!(stat.name.len() < bytes.len());
    }
    Status::parse(bytes);
    let arguments = stat::arguments(bytes);
    assert!(arguments.len() <= bytes.len());
    let exe = arguments.first().map(|first| &**first);
    drop(script::name(exe, &arguments));
    if let Some(path) = stat::cgroup_v2(bytes) {
        drop(place::of_cgroup(&path));
        let _ = place::user_of_cgroup(&path);
    }
    let text = String::from_utf8_lossy(bytes);
    stat::namespace_inode(&text);
    drop(place::of_cgroup(&text));
}

/// The files of the host: mounts, names of addresses, of services, of users.
pub fn files(bytes: &[u8]) {
    mountinfo::parse(bytes);
    for (address, name) in hosts::parse(bytes) {
        assert!(!address.is_unspecified() && !name.is_empty());
    }
    let text = String::from_utf8_lossy(bytes);
    services::parse(&text);
    user::parse(&text);
}

/// Messages of the domain name system: the first byte of each says how it goes, the next two how
/// far from the last one it is in its stream, the fourth how long it is.
pub fn dns(bytes: &[u8]) {
    let mut listener = Listener::default();
    let (mut rest, mut at) = (bytes, 0_u32);
    let end = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    while let [how, low, high, length, after @ ..] = rest {
        let length = usize::from(*length) * if how & 4 == 0 { 1 } else { 8 };
        let (message, next) = after.split_at(length.min(after.len()));
        let sequence = at.wrapping_add(u32::from(u16::from_le_bytes([*low, *high])));
        let heard = Heard {
            netns: NETNS,
            protocol: if how & 1 == 0 {
                Protocol::UDP
            } else {
                Protocol::TCP
            },
            sent: how & 2 != 0,
            local: end(1024 + u16::from(how >> 4)),
            remote: end(53),
            sequence,
            bytes: message,
        };
        listener.hear(&heard, |_, name| {
            assert!(!name.is_empty() && name.len() <= 1024, "{name}");
        });
        at = sequence.wrapping_add(u32::try_from(message.len()).unwrap_or_default());
        rest = next;
    }
}
