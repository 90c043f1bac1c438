//! Very many small connections, one after another: a request of 100 bytes, a reply of 300. A server that
//! greets has sent all of it but the last byte before it is asked: both ends speak first, at the same
//! moment.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use rustix::net::sockopt::set_socket_linger;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::{Account, Event, say, wait_for_release};

/// Serves small connections.
#[derive(Debug, Args)]
pub struct Server {
    #[arg(long)]
    listen: IpAddr,
    #[arg(long)]
    count: usize,
    /// Reply before anything was asked, but for the last byte.
    #[arg(long)]
    greet: bool,
}

/// Makes small connections.
#[derive(Debug, Args)]
pub struct Client {
    #[arg(long)]
    to: SocketAddr,
    #[arg(long)]
    count: usize,
    /// End each with a reset, which leaves no time-wait, instead of an orderly close.
    #[arg(long)]
    reset: bool,
    /// Rest for a millisecond before the end: what another processor has late is there by then.
    #[arg(long)]
    rest: bool,
    /// Run on this processor alone.
    #[arg(long)]
    processor: Option<usize>,
}

const REQUEST: usize = 100;
const REPLY: usize = 300;

impl Server {
    pub(super) fn run(self) -> Result<()> {
        let listener = TcpListener::bind((self.listen, 0)).context("listen")?;
        let port = listener.local_addr()?.port();
        say(&Event::Listening { port })?;
        let mut account = Account::of_this_process();
        let reply = [0x5a; REPLY];
        let greeting = if self.greet { REPLY - 1 } else { 0 };
        for _ in 0..self.count {
            let (mut stream, _) = listener.accept().context("accept")?;
            stream.write_all(&reply[..greeting])?;
            stream.read_exact(&mut [0; REQUEST])?;
            stream.write_all(&reply[greeting..])?;
            account.recv += REQUEST as u64;
            account.sent += REPLY as u64;
            let _end_or_reset = stream.read(&mut [0]);
        }
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

impl Client {
    pub(super) fn run(self) -> Result<()> {
        if let Some(processor) = self.processor {
            let mut only = CpuSet::new();
            only.set(processor);
            sched_setaffinity(None, &only).context("run on one processor")?;
        }
        let mut account = Account::of_this_process();
        for _ in 0..self.count {
            let mut stream = TcpStream::connect(self.to).context("connect")?;
            stream.write_all(&[0x5a; REQUEST])?;
            stream.read_exact(&mut [0; REPLY])?;
            account.sent += REQUEST as u64;
            account.recv += REPLY as u64;
            if self.rest {
                thread::sleep(Duration::from_millis(1));
            }
            if self.reset {
                set_socket_linger(&stream, Some(Duration::ZERO))?;
            }
        }
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}
