//! Datagrams one way: a sink that only receives, of a multicast group too, and a sender that expects
//! no answer. The sink's buffer is large enough for all, so that none is lost.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::{Context, Result};
use clap::Args;
use rustix::net::sockopt::{
    set_ip_add_membership, set_ip_multicast_if, set_ip_multicast_loop,
    set_socket_recv_buffer_size_force, set_socket_reuseaddr,
};
use rustix::net::{AddressFamily, SocketType, bind, socket};

use super::udp::{Counted, any};
use super::{Event, say, wait_for_release};

/// Receives datagrams.
#[derive(Debug, Args)]
pub struct Sink {
    /// The port; 0 is any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A multicast group to join, on the interface with the address `at`.
    #[arg(long, requires = "at")]
    group: Option<Ipv4Addr>,
    #[arg(long)]
    at: Option<Ipv4Addr>,
    /// How many to receive.
    #[arg(long)]
    count: u64,
}

/// Sends datagrams.
#[derive(Debug, Args)]
pub struct Spray {
    #[arg(long)]
    to: SocketAddr,
    /// Send to a group from the interface with this address, looped back to receivers here too.
    #[arg(long)]
    at: Option<Ipv4Addr>,
    #[arg(long)]
    count: u64,
    #[arg(long)]
    size: usize,
}

const BUFFER: usize = 64 << 20;

impl Sink {
    pub(super) fn run(self) -> Result<()> {
        let fd = socket(AddressFamily::INET, SocketType::DGRAM, None).context("open")?;
        set_socket_reuseaddr(&fd, true)?;
        set_socket_recv_buffer_size_force(&fd, BUFFER)?;
        let address = SocketAddrV4::new(self.group.unwrap_or(Ipv4Addr::UNSPECIFIED), self.port);
        bind(&fd, &SocketAddr::from(address)).context("bind")?;
        if let (Some(group), Some(at)) = (self.group, self.at) {
            set_ip_add_membership(&fd, &group, &at).context("join the group")?;
        }
        let mut socket = Counted::of(fd.into())?;
        let port = socket.port()?;
        say(&Event::Listening { port })?;
        let mut buffer = vec![0; 65_535];
        for _ in 0..self.count {
            socket.recv(&mut buffer)?;
        }
        let (account, _open) = socket.into_account();
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

impl Spray {
    pub(super) fn run(self) -> Result<()> {
        let mut socket = Counted::bind(any(self.to.ip()), 0)?;
        if let Some(at) = self.at {
            set_ip_multicast_if(&socket, &at).context("choose the interface")?;
            set_ip_multicast_loop(&socket, true)?;
        }
        let datagram = vec![0x5a; self.size];
        for _ in 0..self.count {
            socket.send(&datagram, Some(self.to))?;
        }
        let (account, _open) = socket.into_account();
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

/// Where a group's traffic goes to: an address that no network uses (RFC 6676).
#[must_use]
pub const fn group() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(233, 252, 0, 1))
}
