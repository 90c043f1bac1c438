//! One TCP connection, every way of using it: how it is opened, how bytes are sent, how they are
//! received, how it ends.
//!
//! First the client sends `up` bytes, then the server sends `down`. What each end accounts for is
//! the sum of what its own calls returned.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use clap::Args;
use rustix::net::{Shutdown, shutdown};

use super::{Account, Event, say, socket, wait_for_release};

mod open;
mod receive;
pub(super) mod ring;
mod send;

pub use open::FAST_OPEN;
use open::{Accept, Opening};

/// Accepts one connection.
#[derive(Debug, Args)]
pub struct Server {
    /// Address to listen on; the port is chosen by the kernel when it is 0.
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long, value_enum, default_value = "unnamed")]
    accept: Accept,
    #[command(flatten)]
    ways: Ways,
}

/// Opens one connection.
#[derive(Debug, Args)]
pub struct Client {
    #[arg(long)]
    to: SocketAddr,
    #[command(flatten)]
    ways: Ways,
    /// Say that there is no more to send, before receiving.
    #[arg(long)]
    half_close: bool,
    /// Close with a reset (`SO_LINGER` with no time) rather than with a FIN.
    #[arg(long)]
    reset: bool,
    /// Never receive what the server sends; closing with it unread resets the connection.
    #[arg(long)]
    leave_unread: bool,
}

/// What is moved, and how.
#[derive(Debug, Args)]
struct Ways {
    /// Bytes from the client to the server.
    #[arg(long, default_value_t = 0)]
    up: u64,
    /// Bytes from the server to the client, after that.
    #[arg(long, default_value_t = 0)]
    down: u64,
    #[arg(long, value_enum, default_value = "plain")]
    opening: Opening,
    #[arg(long, value_enum, default_value = "plain")]
    send: send::Way,
    #[arg(long, value_enum, default_value = "plain")]
    receive: receive::Way,
}

/// Whether the kernel knows this kind of connection; else why not.
#[must_use]
pub fn obstacle(opening: &str) -> Option<String> {
    match opening {
        "multipath" => open::no_multipath(),
        "tls" => open::no_tls(),
        "sctp" => open::no_sctp(),
        _ => None,
    }
}

/// Whether the kernel lets us have an `io_uring`; else why not.
#[must_use]
pub fn no_ring(polled: bool) -> Option<String> {
    ring::obstacle(polled)
}

impl Server {
    pub(super) fn run(self) -> Result<()> {
        let listener = self.ways.opening.listen(self.listen)?;
        let port = open::port(&listener)?;
        say(&Event::Listening { port })?;
        let stream = self.accept.accept(&listener)?;
        let mut account = Account::of_this_process();
        self.ways.opening.established(&stream)?;
        account.recv = self.ways.receive.pull(&stream, self.ways.up)?;
        account.sent = self.ways.send.push(&stream, self.ways.down)?;
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

impl Client {
    pub(super) fn run(self) -> Result<()> {
        let mut account = Account::of_this_process();
        let (stream, first) = self.ways.opening.connect(self.to)?;
        account.sent = first + self.ways.send.push(&stream, self.ways.up - first)?;
        if self.half_close {
            shutdown(stream.as_fd(), Shutdown::Write).context("shut down")?;
            let refused = socket::send(&stream, &[0; 100], 0);
            anyhow::ensure!(refused.is_err(), "sent after the end");
        }
        if !self.leave_unread {
            account.recv = self.ways.receive.pull(&stream, self.ways.down)?;
        }
        self.ways.opening.verify(&stream)?;
        say(&Event::Moved(account))?;
        wait_for_release()?;
        self.close(stream)
    }

    fn close(&self, stream: OwnedFd) -> Result<()> {
        if self.reset {
            let linger = [1_i32, 0].map(i32::to_ne_bytes).concat(); // struct linger: on, 0 s
            socket::set_bytes(&stream, libc::SOL_SOCKET, libc::SO_LINGER, &linger)?;
        }
        drop(stream);
        Ok(())
    }
}
