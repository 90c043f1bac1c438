//! ICMP echo through sockets, not through the ping program: what each call moved is known.
//!
//! A raw socket gives its reader the IPv4 header too (raw(7)), for IPv6 it does not (RFC 3542). A
//! header of IP is no payload, so what is accounted for as received starts after it.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use clap::Args;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recvfrom, sendto,
    socket_with,
};

use super::udp::ip_header;
use super::{Account, Event, Wire, say, wait_for_release};

/// Answers echo requests. The kernel must have been told not to (`icmp_echo_ignore_all`).
#[derive(Debug, Args)]
pub struct Server {
    #[arg(long)]
    listen: IpAddr,
    /// How many to answer.
    #[arg(long)]
    count: u64,
}

/// Sends echo requests and waits for each reply.
#[derive(Debug, Args)]
pub struct Client {
    #[arg(long)]
    to: IpAddr,
    /// How many.
    #[arg(long)]
    count: u64,
    /// Bytes after the ICMP header.
    #[arg(long)]
    size: usize,
    /// A ping socket (icmp(7), `SOCK_DGRAM`) rather than a raw one.
    #[arg(long)]
    datagram: bool,
}

const REQUEST: [u8; 2] = [8, 128]; // RFC 792, RFC 4443
const REPLY: [u8; 2] = [0, 129];
const HEADER: usize = 8;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

struct Echo {
    socket: OwnedFd,
    v6: bool,
    /// Whether the IPv4 header comes with what is received.
    with_header: bool,
    header: u64,
    account: Account,
    wire: Wire,
}

impl Echo {
    fn open(peer: IpAddr, kind: SocketType) -> Result<Self> {
        let v6 = peer.is_ipv6();
        let (family, protocol) = if v6 {
            (AddressFamily::INET6, ipproto::ICMPV6)
        } else {
            (AddressFamily::INET, ipproto::ICMP)
        };
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))
            .context("open an ICMP socket")?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self {
            socket,
            v6,
            with_header: !v6 && kind == SocketType::RAW,
            header: ip_header(peer),
            account: Account::of_this_process(),
            wire: Wire::default(),
        })
    }

    fn send(&mut self, message: &mut [u8], to: IpAddr) -> Result<()> {
        message[2..4].fill(0);
        if !self.v6 {
            let sum = checksum(message); // the kernel does it for ICMPv6 only
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let to = SocketAddr::new(to, 0);
        let sent = sendto(&self.socket, message, SendFlags::empty(), &to).context("send")? as u64;
        self.account.sent += sent;
        self.wire.packets_sent += 1;
        self.wire.bytes_sent += sent + self.header;
        Ok(())
    }

    /// The next message of the wanted type, and who sent it.
    fn recv(&mut self, wanted: [u8; 2]) -> Result<(Vec<u8>, IpAddr)> {
        let mut buffer = vec![0; 65_535];
        let (_, got, from) =
            recvfrom(&self.socket, &mut buffer[..], RecvFlags::empty()).context("receive")?;
        let from = from.context("no sender")?;
        let from = SocketAddr::try_from(from).context("the sender is no IP address")?;
        buffer.truncate(got);
        if self.with_header {
            let length = usize::from(buffer.first().copied().unwrap_or(0) & 0x0f) * 4;
            buffer.drain(..length.min(got));
        }
        let payload = buffer.len() as u64;
        self.account.recv += payload;
        self.wire.packets_recv += 1;
        self.wire.bytes_recv += payload + self.header;
        let kind = buffer.first().copied();
        let expected = wanted[usize::from(self.v6)];
        anyhow::ensure!(kind == Some(expected), "ICMP type {kind:?}, not {expected}");
        Ok((buffer, from.ip()))
    }

    fn finish(self) -> Result<()> {
        let account = Account {
            wire: Some(self.wire),
            ..self.account
        };
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

impl Server {
    pub(super) fn run(self) -> Result<()> {
        let mut echo = Echo::open(self.listen, SocketType::RAW)?;
        say(&Event::Listening { port: 0 })?;
        for _ in 0..self.count {
            let (mut message, from) = echo.recv(REQUEST)?;
            message[0] = REPLY[usize::from(echo.v6)];
            echo.send(&mut message, from)?;
        }
        echo.finish()
    }
}

impl Client {
    pub(super) fn run(self) -> Result<()> {
        let kind = if self.datagram {
            SocketType::DGRAM
        } else {
            SocketType::RAW
        };
        let mut echo = Echo::open(self.to, kind)?;
        for n in 0..self.count {
            let mut message = vec![0x5a; HEADER + self.size];
            message[0] = REQUEST[usize::from(echo.v6)];
            message[1] = 0;
            #[allow(clippy::cast_possible_truncation)] // a sequence number wraps
            message[6..8].copy_from_slice(&(n as u16).to_be_bytes());
            echo.send(&mut message, self.to)?;
            let (reply, _) = echo.recv(REPLY)?;
            anyhow::ensure!(reply.len() == message.len(), "a reply of another length");
        }
        echo.finish()
    }
}

/// The Internet checksum, RFC 1071.
pub(super) fn checksum(message: &[u8]) -> u16 {
    let mut sum: u32 = message
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    #[allow(clippy::cast_possible_truncation)] // folded to 16 bits above
    let folded = sum as u16;
    !folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_its_checksum_sums_to_zero() {
        let mut message = [8, 0, 0, 0, 1, 2, 3, 4, 5];
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(checksum(&message), 0);
    }
}
