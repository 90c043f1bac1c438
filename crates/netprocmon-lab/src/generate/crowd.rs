//! A process with very many sockets, most of which stay silent.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::udp::Counted;
use super::{Account, Event, Wire, say, wait_for_go, wait_for_release};

/// Opens sockets, waits, and exchanges datagrams on some.
#[derive(Debug, Args)]
pub struct Crowd {
    /// The local address: each has ports of its own.
    #[arg(long)]
    from: IpAddr,
    /// Who echoes.
    #[arg(long)]
    to: SocketAddr,
    /// How many sockets.
    #[arg(long)]
    count: usize,
    /// Every how-many-th is used after the wait.
    #[arg(long)]
    every: usize,
}

impl Crowd {
    pub(super) fn run(self) -> Result<()> {
        allow(self.count as u64 + 100)?;
        let mut sockets = Vec::with_capacity(self.count);
        for _ in 0..self.count {
            sockets.push(Counted::bind(self.from, 0)?);
        }
        say(&Event::Ready)?;
        wait_for_go()?;
        let mut buffer = [0; 2000];
        for (n, socket) in sockets.iter_mut().step_by(self.every).enumerate() {
            let datagram = &[0x5a; 1000][..=n % 1000];
            socket.send(datagram, Some(self.to))?;
            socket.recv(&mut buffer)?;
        }
        let mut account = Account::of_this_process();
        let mut wire = Wire::default();
        let mut open = Vec::with_capacity(sockets.len());
        for socket in sockets {
            let (one, socket) = socket.into_account();
            account.sent += one.sent;
            account.recv += one.recv;
            let one = one.wire.unwrap_or_default();
            wire.bytes_sent += one.bytes_sent;
            wire.bytes_recv += one.bytes_recv;
            wire.packets_sent += one.packets_sent;
            wire.packets_recv += one.packets_recv;
            open.push(socket);
        }
        account.wire = Some(wire);
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

/// Raises the limit on open files.
fn allow(files: u64) -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(files),
        maximum: most.map(|most| most.max(files)),
    };
    setrlimit(Resource::Nofile, limit).with_context(|| format!("allow {files} open files"))
}
