//! UDP: datagrams of many sizes, each echoed before the next is sent, so that none can be lost to a
//! full buffer and the wire bytes follow from the calls.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::{Account, Event, Wire, say, wait_for_go, wait_for_release};

/// Echoes datagrams to whoever sent them.
#[derive(Debug, Args)]
pub struct Server {
    #[arg(long)]
    listen: IpAddr,
    /// How many to echo.
    #[arg(long)]
    count: u64,
    /// How many of them come first and are not accounted for.
    #[arg(long, default_value_t = 0)]
    before: u64,
    /// Connect the socket to the first sender.
    #[arg(long)]
    connected: bool,
}

/// Sends datagrams.
#[derive(Debug, Args)]
pub struct Client {
    #[arg(long)]
    to: SocketAddr,
    /// How many to send.
    #[arg(long)]
    count: u64,
    /// Bytes in the smallest; the others are up to six bytes longer.
    #[arg(long)]
    size: usize,
    /// How many to send first, before the wait, which are not accounted for.
    #[arg(long, default_value_t = 0)]
    before: u64,
    /// Connect the socket and use send and recv.
    #[arg(long)]
    connected: bool,
    /// Wait until told to go on.
    #[arg(long)]
    wait: bool,
}

/// A datagram that does not come is a failure, not a wait for ever.
const PATIENCE: Duration = Duration::from_secs(20);
const UDP_HEADER: u64 = 8;
const LARGEST: usize = 65_535;

/// A socket and what went through it.
pub(super) struct Counted {
    socket: UdpSocket,
    header: u64,
    pub(super) account: Account,
    wire: Wire,
    pub(super) counting: bool,
}

impl Counted {
    pub(super) fn bind(address: IpAddr, port: u16) -> Result<Self> {
        Self::of(UdpSocket::bind((address, port)).context("bind")?)
    }

    /// A socket that was opened and bound with options of its own.
    pub(super) fn of(socket: UdpSocket) -> Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        let address = socket.local_addr()?.ip();
        Ok(Self {
            socket,
            header: ip_header(address) + UDP_HEADER,
            account: Account::of_this_process(),
            wire: Wire::default(),
            counting: true,
        })
    }

    pub(super) fn port(&self) -> Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    pub(super) fn connect(&self, to: SocketAddr) -> Result<()> {
        self.socket.connect(to).context("connect")
    }

    /// Sends to `to`, or to where the socket is connected.
    pub(super) fn send(&mut self, datagram: &[u8], to: Option<SocketAddr>) -> Result<()> {
        let sent = match to {
            Some(to) => self.socket.send_to(datagram, to),
            None => self.socket.send(datagram),
        };
        let sent = sent.context("send")? as u64;
        if self.counting {
            self.account.sent += sent;
            self.wire.packets_sent += 1;
            self.wire.bytes_sent += sent + self.header;
        }
        Ok(())
    }

    pub(super) fn recv(&mut self, buffer: &mut [u8]) -> Result<(usize, SocketAddr)> {
        let (got, from) = self.socket.recv_from(buffer).context("receive")?;
        if self.counting {
            self.account.recv += got as u64;
            self.wire.packets_recv += 1;
            self.wire.bytes_recv += got as u64 + self.header;
        }
        Ok((got, from))
    }

    pub(super) fn into_account(self) -> (Account, UdpSocket) {
        let account = Account {
            wire: Some(self.wire),
            ..self.account
        };
        (account, self.socket)
    }
}

impl AsFd for Counted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

pub(super) const fn ip_header(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 40,
    }
}

/// The unspecified address of the same version.
pub(super) fn any(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::from([0; 4]),
        IpAddr::V6(_) => IpAddr::from([0; 16]),
    }
}

impl Server {
    pub(super) fn run(self) -> Result<()> {
        let mut socket = Counted::bind(self.listen, 0)?;
        let port = socket.socket.local_addr()?.port();
        say(&Event::Listening { port })?;
        let mut buffer = vec![0; LARGEST];
        for n in 0..self.before + self.count {
            socket.counting = n >= self.before;
            let (length, from) = socket.recv(&mut buffer)?;
            if self.connected && n == 0 {
                socket.connect(from)?;
            }
            let to = (!self.connected).then_some(from);
            socket.send(&buffer[..length], to)?;
        }
        let (account, _open) = socket.into_account();
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

impl Client {
    pub(super) fn run(self) -> Result<()> {
        let mut socket = Counted::bind(any(self.to.ip()), 0)?;
        if self.connected {
            socket.connect(self.to)?;
        }
        socket.counting = false;
        self.echo(&mut socket, self.before)?;
        if self.wait {
            say(&Event::Ready)?;
            wait_for_go()?;
        }
        socket.counting = true;
        self.echo(&mut socket, self.count)?;
        let (account, _open) = socket.into_account();
        say(&Event::Moved(account))?;
        wait_for_release()
    }

    fn echo(&self, socket: &mut Counted, count: u64) -> Result<()> {
        let to = (!self.connected).then_some(self.to);
        let mut buffer = vec![0; LARGEST];
        for length in (self.size..self.size + 7)
            .cycle()
            .take(usize::try_from(count)?)
        {
            socket.send(&buffer[..length], to)?;
            let (got, _) = socket.recv(&mut buffer)?;
            anyhow::ensure!(
                got == length,
                "an echo of {length} bytes came back as {got}"
            );
        }
        Ok(())
    }
}
