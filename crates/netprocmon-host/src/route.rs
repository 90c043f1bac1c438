//! The interface that the kernel would send to a remote by (`RTM_GETROUTE`, rtnetlink(7)).
//!
//! What `ip route get` says. Needs no privilege. Rules on marks, users and ports are not seen: a
//! socket that they send elsewhere is taken for one that they do not concern.

use std::io;
use std::net::IpAddr;

use crate::netlink::{Netlink, attributes, u32_at};

const RTM_GETROUTE: u16 = 26;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
/// `struct rtmsg`: family, two prefix lengths, service, table, protocol, scope, type u8 each, flags
/// u32.
const HEADER: usize = 12;

/// Asks in the namespace of the thread that opened it, from whichever thread.
#[derive(Debug)]
pub struct Routes {
    netlink: Netlink,
}

impl Routes {
    /// In the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            netlink: Netlink::route()?,
        })
    }

    /// The index of the interface from `local` to `remote`; `None` where there is no route, or they
    /// are of different versions. An address of this host leads to the loopback interface.
    pub fn interface(&mut self, local: IpAddr, remote: IpAddr) -> Option<u32> {
        let body = request(local, remote)?;
        let answer = self.netlink.ask(RTM_GETROUTE, &body, |body| {
            let mut found = attributes(body.get(HEADER..)?);
            let (_, index) = found.find(|(kind, _)| *kind == RTA_OIF)?;
            u32_at(index, 0)
        });
        answer.ok().flatten()
    }
}

fn request(local: IpAddr, remote: IpAddr) -> Option<Vec<u8>> {
    let (family, bits, source, destination) = match (local, remote) {
        (IpAddr::V4(local), IpAddr::V4(remote)) => (
            AF_INET,
            32,
            local.octets().to_vec(),
            remote.octets().to_vec(),
        ),
        (IpAddr::V6(local), IpAddr::V6(remote)) => (
            AF_INET6,
            128,
            local.octets().to_vec(),
            remote.octets().to_vec(),
        ),
        _ => return None,
    };
    let mut body = vec![family, bits, bits, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (kind, address) in [(RTA_DST, destination), (RTA_SRC, source)] {
        let length = u16::try_from(4 + address.len()).unwrap_or(u16::MAX);
        body.extend(length.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(address);
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface;

    #[test]
    fn loopback_leads_to_itself() {
        let mut routes = Routes::open().unwrap();
        let lo = interface::by_name("lo").unwrap().unwrap().index;
        let v4: IpAddr = "127.0.0.1".parse().unwrap();
        let v6: IpAddr = "::1".parse().unwrap();
        assert_eq!(routes.interface(v4, "127.0.0.9".parse().unwrap()), Some(lo));
        assert_eq!(routes.interface(v4, v6), None);
        // and another question still gets its own answer
        assert_eq!(routes.interface(v4, v4), Some(lo));
    }
}
