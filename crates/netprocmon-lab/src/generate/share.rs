//! One socket, several processes: inherited by a child, passed to another process, written by two,
//! read by many. Who calls is who pays.
//!
//! A sharer opens a connected socket, has a second process, and both exchange messages with a
//! server that echoes, one at a time, so that what each moved is known on the wire too.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, accept, bind, connect, getsockname, listen, recvmsg, sendmsg,
};

use super::udp::ip_header;
use super::{Account, Event, Wire, fork, say, socket, wait_for_release};

/// Opens a socket that two processes use.
#[derive(Debug, Args)]
pub struct Sharer {
    #[arg(long)]
    to: SocketAddr,
    #[command(flatten)]
    what: What,
    #[arg(long, value_enum)]
    how: How,
    /// Bytes to read of what the server greets with, before the socket goes over; the second
    /// process reads the rest of it.
    #[arg(long)]
    head: Option<usize>,
    /// Messages that the first process exchanges before that.
    #[arg(long, default_value_t = 0)]
    before: u64,
    /// Messages that it exchanges afterwards, in turns with the last ones of the second.
    #[arg(long, default_value_t = 0)]
    turns: u64,
    /// Messages that the second process exchanges.
    #[arg(long)]
    count: u64,
    /// Datagrams that the first process leaves unread to its heirs.
    #[arg(long, default_value_t = 0)]
    unread: u64,
}

/// Echoes what comes.
#[derive(Debug, Args)]
pub struct Server {
    #[arg(long)]
    listen: SocketAddr,
    #[command(flatten)]
    what: What,
    /// Messages to echo, in all.
    #[arg(long)]
    count: u64,
    /// Processes that share the work: of UDP they all read one socket, of TCP the last one gets the
    /// connection that the first has accepted.
    #[arg(long, default_value_t = 0)]
    workers: u64,
    /// Bytes to send first, unasked.
    #[arg(long, default_value_t = 0)]
    greeting: usize,
}

#[derive(Debug, Clone, Copy, Args)]
struct What {
    #[arg(long)]
    udp: bool,
    /// Bytes in a message.
    #[arg(long)]
    size: usize,
}

/// How the second process comes by the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// It is forked when the socket is open.
    Inherit,
    /// It is older than the socket, and is given it (`SCM_RIGHTS`, unix(7)).
    Pass,
    /// Two are given it by one that ends, and find datagrams that were its.
    Bequeath,
}

/// One process's use of the socket.
struct User {
    what: What,
    account: Account,
    wire: Wire,
    header: u64,
}

impl User {
    fn new(what: What, peer: SocketAddr) -> Self {
        Self {
            what,
            account: Account::of_this_process(),
            wire: Wire::default(),
            header: ip_header(peer.ip()) + 8,
        }
    }

    fn send(&mut self, socket: &OwnedFd, length: usize) -> Result<()> {
        let sent = socket::send(socket, &vec![0x5a; length], 0).context("send")?;
        ensure!(sent == length, "sent {sent} bytes of {length}");
        self.account.sent += sent as u64;
        self.wire.packets_sent += 1;
        self.wire.bytes_sent += sent as u64 + self.header;
        Ok(())
    }

    fn receive(&mut self, socket: &OwnedFd, length: usize) -> Result<()> {
        let got = socket::recv(socket, &mut vec![0; length], libc::MSG_WAITALL);
        let got = got.context("receive")?;
        ensure!(got == length, "got {got} bytes of {length}");
        self.account.recv += got as u64;
        self.wire.packets_recv += 1;
        self.wire.bytes_recv += got as u64 + self.header;
        Ok(())
    }

    fn exchange(&mut self, socket: &OwnedFd) -> Result<()> {
        self.send(socket, self.what.size)?;
        self.receive(socket, self.what.size)
    }

    fn say(mut self) -> Result<()> {
        // Of a stream only this is known: who moved nothing pays for nothing.
        let idle = self.account.sent == 0 && self.account.recv == 0;
        self.account.wire = (self.what.udp || idle).then_some(self.wire);
        say(&Event::Moved(self.account))
    }
}

fn kind(what: What) -> (i32, i32) {
    if what.udp {
        (libc::SOCK_DGRAM, libc::IPPROTO_UDP)
    } else {
        (libc::SOCK_STREAM, libc::IPPROTO_TCP)
    }
}

impl Sharer {
    pub(super) fn run(self) -> Result<()> {
        if self.how == How::Bequeath {
            return self.heirs();
        }
        let (mut ours, mut theirs) = UnixStream::pair()?;
        let passed = |mut end: UnixStream| {
            let socket = receive_socket(&end)?;
            self.second(&socket, &mut end)
        };
        let older = match self.how {
            How::Pass => Some(fork::fork(|| passed(theirs.try_clone()?))?),
            How::Inherit | How::Bequeath => None,
        };
        let (mut first, socket) = self.first()?;
        if let Some(head) = self.head {
            let whole = self.greeting();
            // All of it has come before any of it is read.
            let waiting = socket::recv(
                &socket,
                &mut vec![0; whole],
                libc::MSG_PEEK | libc::MSG_WAITALL,
            )?;
            ensure!(waiting == whole, "{waiting} bytes of the greeting");
            first.receive(&socket, head)?;
        }
        let second = match older {
            Some(pid) => {
                send_socket(&ours, &socket)?;
                pid
            }
            None => fork::fork(|| self.second(&socket, &mut theirs))?,
        };
        for _ in 0..self.turns {
            ours.read_exact(&mut [0]).context("wait for my turn")?;
            first.exchange(&socket)?;
            ours.write_all(&[0])?;
        }
        first.say()?;
        wait_for_release()?;
        fork::join(Some(second))
    }

    fn first(&self) -> Result<(User, OwnedFd)> {
        let (kind, protocol) = kind(self.what);
        let socket = socket::open(self.to, kind, protocol)?;
        connect(&socket, &self.to).context("connect")?;
        let mut first = User::new(self.what, self.to);
        for _ in 0..self.before {
            first.exchange(&socket)?;
        }
        Ok((first, socket))
    }

    /// Two heirs read what another has left, who is gone, in turns; one goes on.
    fn heirs(&self) -> Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        let testator = fork::fork(|| self.bequeath(&theirs))?;
        let socket = receive_socket(&ours)?;
        fork::join(Some(testator))?;
        let (mut ours, mut theirs) = UnixStream::pair()?;
        let of_first = self.unread.div_ceil(2);
        let second = fork::fork(|| {
            let mut second = User::new(self.what, self.to);
            for _ in of_first..self.unread {
                theirs.read_exact(&mut [0]).context("wait for my turn")?;
                second.receive(&socket, self.what.size)?;
                theirs.write_all(&[0])?;
            }
            second.say()?;
            wait_for_release()
        })?;
        let mut first = User::new(self.what, self.to);
        for n in 0..of_first {
            first.receive(&socket, self.what.size)?;
            if of_first + n < self.unread {
                ours.write_all(&[0])?;
                ours.read_exact(&mut [0]).context("wait for my turn")?;
            }
        }
        for _ in 0..self.count {
            first.exchange(&socket)?;
        }
        first.say()?;
        wait_for_release()?;
        fork::join(Some(second))
    }

    fn bequeath(&self, heirs: &UnixStream) -> Result<()> {
        let (mut first, socket) = self.first()?;
        for _ in 0..self.unread {
            first.send(&socket, self.what.size)?;
        }
        // Each look goes on behind the last one: with the last, all have come.
        let peek_at = |offset| {
            socket::set(&socket, libc::SOL_SOCKET, libc::SO_PEEK_OFF, offset).context("SO_PEEK_OFF")
        };
        peek_at(0)?;
        for _ in 0..self.unread {
            socket::recv(&socket, &mut vec![0; self.what.size], libc::MSG_PEEK).context("look")?;
        }
        peek_at(-1)?;
        first.say()?;
        send_socket(heirs, &socket)
    }

    /// What the server greets with: ten times what is read of it at first.
    fn greeting(&self) -> usize {
        self.head.unwrap_or(0) * 10
    }

    fn second(&self, socket: &OwnedFd, turn: &mut UnixStream) -> Result<()> {
        let mut second = User::new(self.what, self.to);
        if let Some(head) = self.head {
            second.receive(socket, self.greeting() - head)?;
        }
        for n in 0..self.count {
            second.exchange(socket)?;
            if n >= self.count.saturating_sub(self.turns) {
                turn.write_all(&[0])?;
                turn.read_exact(&mut [0]).context("wait for my turn")?;
            }
        }
        second.say()?;
        wait_for_release()
    }
}

impl Server {
    pub(super) fn run(self) -> Result<()> {
        let (kind, protocol) = kind(self.what);
        let socket = socket::open(self.listen, kind, protocol)?;
        bind(&socket, &self.listen).context("bind")?;
        if !self.what.udp {
            listen(&socket, 16).context("listen")?;
        }
        let address = SocketAddr::try_from(getsockname(&socket)?).context("no IP address")?;
        let listening = Event::Listening {
            port: address.port(),
        };
        if self.workers == 0 || !self.what.udp {
            say(&listening)?;
        }
        let mut workers = Vec::new();
        if self.what.udp {
            for _ in 0..self.workers {
                workers.push(fork::fork(|| {
                    self.datagrams(&socket, self.count / self.workers)
                })?);
            }
            if self.workers == 0 {
                return self.datagrams(&socket, self.count);
            }
            say(&listening)?;
        } else {
            let stream = accept(&socket).context("accept")?;
            if self.workers == 0 {
                return self.stream(&stream);
            }
            workers.push(fork::fork(|| self.stream(&stream))?);
        }
        // The first has its handshakes, and no more.
        say(&Event::Moved(Account::of_this_process()))?;
        wait_for_release()?;
        workers
            .into_iter()
            .try_for_each(|pid| fork::join(Some(pid)))
    }

    fn stream(&self, stream: &OwnedFd) -> Result<()> {
        let mut user = User::new(self.what, self.listen);
        if self.greeting > 0 {
            user.send(stream, self.greeting)?;
        }
        for _ in 0..self.count {
            user.receive(stream, self.what.size)?;
            user.send(stream, self.what.size)?;
        }
        user.say()?;
        wait_for_release()
    }

    fn datagrams(&self, socket: &OwnedFd, count: u64) -> Result<()> {
        let mut user = User::new(self.what, self.listen);
        let mut buffer = vec![0; self.what.size];
        for _ in 0..count {
            let (got, _, from) = rustix::net::recvfrom(socket, &mut buffer[..], RecvFlags::empty())
                .context("receive")?;
            let from = from.context("nobody sent it")?;
            user.account.recv += got as u64;
            user.wire.packets_recv += 1;
            user.wire.bytes_recv += got as u64 + user.header;
            let sent = rustix::net::sendto(socket, &buffer[..got], SendFlags::empty(), &from)?;
            user.account.sent += sent as u64;
            user.wire.packets_sent += 1;
            user.wire.bytes_sent += sent as u64 + user.header;
        }
        user.say()?;
        wait_for_release()
    }
}

fn send_socket(to: &UnixStream, socket: &OwnedFd) -> Result<()> {
    let sockets = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    ensure!(
        control.push(SendAncillaryMessage::ScmRights(&sockets)),
        "no room for a descriptor"
    );
    let byte = [std::io::IoSlice::new(&[0])];
    sendmsg(to, &byte, &mut control, SendFlags::empty()).context("pass a socket")?;
    Ok(())
}

fn receive_socket(from: &UnixStream) -> Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut pieces = [std::io::IoSliceMut::new(&mut byte)];
    recvmsg(from, &mut pieces, &mut control, RecvFlags::empty()).context("be given a socket")?;
    control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        })
        .context("there was no socket in it")
}
