//! Many processes that live for a few milliseconds each: forked, named, one conversation, gone.
//!
//! No poll of `/proc` catches them; they are what an exact counter must not lose.

use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::udp::{Counted, any};
use super::{Account, Event, fork, say, tcp, wait_for_go, wait_for_release};

/// Forks short-lived processes.
#[derive(Debug, Args)]
pub struct Swarm {
    #[arg(long)]
    to: SocketAddr,
    /// How many processes.
    #[arg(long)]
    count: u32,
    /// How many live at once.
    #[arg(long, default_value_t = 8)]
    at_once: u32,
    /// Bytes in each datagram, instead of another number for each process.
    #[arg(long)]
    size: Option<usize>,
    /// What each does.
    #[arg(long)]
    protocol: Protocol,
    /// Wait until told to go on.
    #[arg(long)]
    wait: bool,
    /// Send a datagram itself when all are gone.
    #[arg(long)]
    itself: bool,
}

/// What a short-lived process does.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    /// One TCP connection, a request and a reply.
    Tcp,
    /// One datagram and its echo.
    Udp,
}

/// Bytes each way over TCP. So many that a last FIN and its ACK, which may meet a time-wait that no
/// hook sees (52 bytes each), stay below the contract's 0.1 % however often that happens.
const LEAST: u64 = 70_000;

/// `comm` of the n-th process.
fn name(n: u32) -> String {
    format!("brief-{n:04}")
}

impl Swarm {
    pub(super) fn run(self) -> Result<()> {
        if self.wait {
            wait_for_go()?;
        }
        for n in 0..self.count {
            if n >= self.at_once {
                fork::join(None)?;
            }
            fork::fork(|| self.live(n))?;
        }
        for _ in 0..self.count.min(self.at_once) {
            fork::join(None)?;
        }
        if self.itself {
            let (account, _open) = self.datagram(20)?.into_account();
            say(&Event::Moved(account))?;
            return wait_for_release();
        }
        say(&Event::Moved(Account::of_this_process()))?;
        wait_for_release()
    }

    /// The whole life of one process. Each moves another amount, so that no two can be mixed up.
    fn live(&self, n: u32) -> Result<()> {
        let name = std::ffi::CString::new(name(n))?;
        rustix::thread::set_name(&name).context("take a name")?;
        match self.protocol {
            Protocol::Tcp => {
                let mut account = Account::of_this_process();
                let mut stream = TcpStream::connect(self.to).context("connect")?;
                let (up, down) = (LEAST + u64::from(n), LEAST + 2 * u64::from(n));
                (account.sent, account.recv) = request(&mut stream, up, down)?;
                say(&Event::Moved(account))
            }
            Protocol::Udp => {
                let length = self.size.unwrap_or(20 + n as usize);
                let (account, _open) = self.datagram(length)?.into_account();
                say(&Event::Moved(account))
            }
        }
    }

    /// One datagram and its echo.
    fn datagram(&self, length: usize) -> Result<Counted> {
        let mut socket = Counted::bind(any(self.to.ip()), 0)?;
        let datagram = vec![0x5a; length];
        socket.send(&datagram, Some(self.to))?;
        let mut echo = vec![0; length];
        socket.recv(&mut echo)?;
        Ok(socket)
    }
}

/// One request and its reply, without a second thread.
fn request(stream: &mut TcpStream, up: u64, down: u64) -> Result<(u64, u64)> {
    let header = tcp::Round {
        up,
        down,
        counted: true,
        last: true,
    };
    std::io::Write::write_all(stream, &header.to_bytes()).context("send the request")?;
    let sent = tcp::push(stream, up)?;
    let recv = tcp::pull(stream, down)?;
    Ok((sent + tcp::Round::LEN as u64, recv))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_names_are_distinct_and_fit() {
        assert_eq!(name(999), "brief-0999");
        assert!(name(u32::MAX).len() > 15, "so there may not be that many");
        assert!(name(9999).len() <= 15);
    }
}
