//! Datagrams, every way of sending and receiving them: many in a call, one call cut into many,
//! many calls corked into one, looked at, cut short, through `io_uring`, through raw sockets.
//!
//! They go in batches of [`BATCH`], each echoed by the server before the next is sent, so that none
//! is lost to a full buffer. Wire bytes follow from the calls.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use rustix::net::{bind, connect};

use super::stream::ring::Ring;
use super::udp::ip_header;
use super::{Account, Event, Wire, say, socket, wait_for_release};

/// Echoes batches.
#[derive(Debug, Args)]
pub struct Server {
    /// Address to bind to; the port is chosen by the kernel when it is 0.
    #[arg(long)]
    listen: SocketAddr,
    /// The address of the client, with its port.
    #[arg(long)]
    peer: SocketAddr,
    #[command(flatten)]
    ways: Ways,
}

/// Sends batches.
#[derive(Debug, Args)]
pub struct Client {
    /// Where from, with a port.
    #[arg(long)]
    from: SocketAddr,
    #[arg(long)]
    to: SocketAddr,
    #[command(flatten)]
    ways: Ways,
}

#[derive(Debug, Args)]
struct Ways {
    /// How many batches.
    #[arg(long)]
    count: u64,
    /// Bytes in each datagram.
    #[arg(long)]
    size: usize,
    /// Protocol number; everything but UDP needs a raw socket.
    #[arg(long, default_value_t = libc::IPPROTO_UDP)]
    protocol: i32,
    /// The program writes the IP header itself.
    #[arg(long)]
    own_header: bool,
    /// IPv4 through IPv6 sockets.
    #[arg(long)]
    mapped: bool,
    #[arg(long, value_enum, default_value = "plain")]
    send: Send,
    #[arg(long, value_enum, default_value = "plain")]
    receive: Receive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Send {
    /// send(2), one after the other.
    Plain,
    /// sendmmsg(2), all at once.
    Many,
    /// One call that the kernel cuts (`UDP_SEGMENT`, udp(7)).
    Segment,
    /// Each in pieces with `MSG_MORE`.
    More,
    /// Each in pieces under `UDP_CORK`.
    Cork,
    /// Each after one that is too long and refused.
    Refused,
    /// `io_uring`.
    Ring,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Receive {
    /// recv(2), one after the other.
    Plain,
    /// recvmmsg(2), as many as there are.
    Many,
    /// Several merged into one (`UDP_GRO`).
    Merged,
    /// Each looked at twice first.
    Peek,
    /// Into a buffer that is too short: the rest is lost, and not returned.
    Short,
    /// The same with `MSG_TRUNC`: what is returned is the datagram's length.
    Length,
    /// `io_uring`.
    Ring,
}

/// Datagrams in a batch.
const BATCH: usize = 8;
const UDP_HEADER: u64 = 8;
/// Bytes of a buffer that is too short.
const SHORT: usize = 10;

/// A connected socket and what went through it.
struct Channel<'a> {
    socket: OwnedFd,
    ways: &'a Ways,
    /// IP and, for UDP, transport header on the wire.
    header: u64,
    ring: Option<Ring>,
    /// The header that the program writes itself.
    own: Vec<u8>,
    account: Account,
    wire: Wire,
}

impl<'a> Channel<'a> {
    fn open(ways: &'a Ways, at: SocketAddr) -> Result<Self> {
        let header = ip_header(at.ip());
        let (kind, header) = if ways.protocol == libc::IPPROTO_UDP {
            (libc::SOCK_DGRAM, header + UDP_HEADER)
        } else {
            (libc::SOCK_RAW, header)
        };
        let at = ways.address(at);
        let socket = socket::open(at, kind, ways.protocol)?;
        bind(&socket, &at).context("bind")?;
        if ways.receive == Receive::Merged {
            socket::set(&socket, libc::SOL_UDP, libc::UDP_GRO, 1).context("merge")?;
        }
        if ways.own_header {
            let (level, name) = match at {
                SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_HDRINCL),
                SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_HDRINCL),
            };
            socket::set(&socket, level, name, 1).context("write the header ourselves")?;
        }
        let rings = ways.send == Send::Ring || ways.receive == Receive::Ring;
        Ok(Self {
            socket,
            ways,
            header,
            ring: rings.then(|| Ring::new(false)).transpose()?,
            own: Vec::new(),
            account: Account::of_this_process(),
            wire: Wire::default(),
        })
    }

    fn connect(&mut self, from: SocketAddr, to: SocketAddr) -> Result<()> {
        connect(&self.socket, &self.ways.address(to)).context("connect")?;
        if self.ways.own_header {
            self.own = ip_packet_header(from, to, self.ways.protocol, self.ways.size)?;
        }
        Ok(())
    }

    /// Sends a batch.
    fn send(&mut self) -> Result<()> {
        let size = self.ways.size;
        let one = [&self.own[..], &vec![0x5a; size]].concat();
        let sent = match self.ways.send {
            Send::Many => many(&self.socket, &mut vec![one.clone(); BATCH], Many::Send)?,
            Send::Segment => {
                let (level, name) = (libc::SOL_UDP, libc::UDP_SEGMENT);
                socket::set(&self.socket, level, name, i32::try_from(size)?)?;
                socket::send(&self.socket, &one.repeat(BATCH), 0)?
            }
            _ => (0..BATCH).map(|_| self.send_one(&one)).sum::<Result<_>>()?,
        };
        ensure!(sent == one.len() * BATCH, "sent {sent} bytes");
        self.account.sent += (size * BATCH) as u64;
        self.wire.packets_sent += BATCH as u64;
        self.wire.bytes_sent += BATCH as u64 * (size as u64 + self.header);
        Ok(())
    }

    fn send_one(&mut self, one: &[u8]) -> Result<usize> {
        let socket = &self.socket;
        let third = one.len().div_ceil(3);
        match self.ways.send {
            Send::More => {
                let mut sent = 0;
                for piece in one.chunks(third) {
                    let last = sent + piece.len() == one.len();
                    let flags = if last { 0 } else { libc::MSG_MORE };
                    sent += socket::send(socket, piece, flags)?;
                }
                return Ok(sent);
            }
            Send::Cork => {
                socket::set(socket, libc::SOL_UDP, libc::UDP_CORK, 1)?;
                let mut sent = 0;
                for piece in one.chunks(third) {
                    sent += socket::send(socket, piece, 0)?;
                }
                socket::set(socket, libc::SOL_UDP, libc::UDP_CORK, 0)?;
                return Ok(sent);
            }
            Send::Refused => {
                let refused = socket::send(socket, &vec![0; 70_000], 0);
                ensure!(refused.is_err(), "a datagram of 70,000 bytes was sent");
            }
            Send::Ring => {
                let ring = self.ring.as_mut().context("no ring")?;
                return Ok(ring.send(socket, one, false)?);
            }
            Send::Plain | Send::Many | Send::Segment => {}
        }
        socket::send(socket, one, 0).context("send")
    }

    /// Receives a batch.
    fn receive(&mut self) -> Result<()> {
        let (mut got, size) = (0, self.ways.size);
        while got < BATCH {
            let (returned, datagrams) = self.receive_some(BATCH - got)?;
            got += datagrams;
            self.account.recv += returned as u64;
        }
        ensure!(got == BATCH, "{got} datagrams at once");
        self.wire.packets_recv += BATCH as u64;
        self.wire.bytes_recv += BATCH as u64 * (size as u64 + self.header);
        Ok(())
    }

    /// What one call returned, without the IPv4 header that a raw socket gives; in how many
    /// datagrams.
    fn receive_some(&mut self, at_most: usize) -> Result<(usize, usize)> {
        let socket = &self.socket;
        let mut buffer = vec![0; 65_535];
        let returned = match self.ways.receive {
            Receive::Many => {
                let one = vec![0; self.ways.size];
                let mut all = vec![one; at_most];
                let returned = many(socket, &mut all, Many::Receive)?;
                return Ok((returned, returned / self.ways.size));
            }
            Receive::Merged => {
                let returned = socket::recv(socket, &mut buffer, 0)?;
                return Ok((returned, returned / self.ways.size));
            }
            Receive::Plain => socket::recv(socket, &mut buffer, 0)?,
            Receive::Peek => {
                socket::recv(socket, &mut buffer, libc::MSG_PEEK)?;
                socket::recv(socket, &mut buffer[..SHORT], libc::MSG_PEEK)?;
                socket::recv(socket, &mut buffer, 0)?
            }
            Receive::Short => socket::recv(socket, &mut buffer[..SHORT], 0)?,
            Receive::Length => socket::recv(socket, &mut buffer[..SHORT], libc::MSG_TRUNC)?,
            Receive::Ring => {
                let ring = self.ring.as_mut().context("no ring")?;
                ring.receive(socket, &mut buffer)?
            }
        };
        let raw = self.ways.protocol != libc::IPPROTO_UDP && self.header == 20;
        Ok((if raw { returned - 20 } else { returned }, 1))
    }

    fn finish(self) -> Result<()> {
        let wire = Some(self.wire);
        let account = Account {
            wire,
            ..self.account
        };
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

impl Ways {
    fn address(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V4(v4) if self.mapped => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => address,
        }
    }
}

impl Server {
    pub(super) fn run(self) -> Result<()> {
        let mut channel = Channel::open(&self.ways, self.listen)?;
        channel.connect(self.listen, self.peer)?;
        say(&Event::Listening {
            port: self.listen.port(),
        })?;
        for _ in 0..self.ways.count {
            channel.receive()?;
            channel.send()?;
        }
        channel.finish()
    }
}

impl Client {
    pub(super) fn run(self) -> Result<()> {
        let mut channel = Channel::open(&self.ways, self.from)?;
        channel.connect(self.from, self.to)?;
        for _ in 0..self.ways.count {
            channel.send()?;
            channel.receive()?;
        }
        channel.finish()
    }
}

#[derive(Clone, Copy)]
enum Many {
    Send,
    Receive,
}

/// sendmmsg(2) or recvmmsg(2): a datagram for each buffer; gives the sum of their lengths. What
/// receives takes what there is, and waits for the first.
fn many(socket: &OwnedFd, buffers: &mut [Vec<u8>], what: Many) -> Result<usize> {
    let mut pieces: Vec<_> = buffers
        .iter_mut()
        .map(|buffer| libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        })
        .collect();
    let mut messages: Vec<_> = pieces
        .iter_mut()
        .map(|piece| {
            // SAFETY: a message header of zeroes is one without address, buffers or control.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_iov = piece;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let (fd, at, length) = (
        socket.as_raw_fd(),
        messages.as_mut_ptr(),
        u32::try_from(messages.len())?,
    );
    let done = match what {
        // SAFETY: `messages`, `pieces` and `buffers` live, and are as long as they say.
        Many::Send => unsafe { libc::sendmmsg(fd, at, length, 0) },
        Many::Receive => {
            let wait = std::ptr::null_mut();
            // SAFETY: as above; without a time limit.
            unsafe { libc::recvmmsg(fd, at, length, libc::MSG_WAITFORONE, wait) }
        }
    };
    let done = usize::try_from(done).map_err(|_| io::Error::last_os_error())?;
    Ok(messages[..done].iter().map(|m| m.msg_len as usize).sum())
}

/// The IP header that a program writes itself; the kernel fills in length and checksum of IPv4
/// (raw(7)).
fn ip_packet_header(
    from: SocketAddr,
    to: SocketAddr,
    protocol: i32,
    payload: usize,
) -> Result<Vec<u8>> {
    let protocol = u8::try_from(protocol)?;
    Ok(match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let start = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
            [&start[..], &from.ip().octets(), &to.ip().octets()].concat()
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            let [high, low] = u16::try_from(payload)?.to_be_bytes();
            let start = [0x60, 0, 0, 0, high, low, protocol, 64];
            [&start[..], &from.ip().octets(), &to.ip().octets()].concat()
        }
        _ => anyhow::bail!("addresses of two versions"),
    })
}
