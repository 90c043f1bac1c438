//! Very many small connections, one after another: a request of 100 bytes, a reply of 300. A server that
//! greets has sent all of it but the last byte before it is asked: both ends speak first, at the same
//! moment. A request may come with the packet that makes the connection, and workers may serve it.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{SendFlags, sendto};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::{Account, Event, fork, say, socket, wait_for_release};

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
    /// Processes to fork, which accept on the parent's listener, each an equal share.
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// Accept no connection before its request is there (`TCP_DEFER_ACCEPT`).
    #[arg(long)]
    defer: bool,
    /// Take requests that come in the SYN (TCP Fast Open, RFC 7413).
    #[arg(long)]
    fast_open: bool,
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
    /// Rest for two milliseconds before the end: what another processor has late is there by then.
    #[arg(long)]
    rest: bool,
    /// Send the request in the SYN.
    #[arg(long)]
    fast_open: bool,
    /// Run on this processor alone.
    #[arg(long)]
    processor: Option<usize>,
}

const REQUEST: usize = 100;
const REPLY: usize = 300;

impl Server {
    pub(super) fn run(self) -> Result<()> {
        let listener = TcpListener::bind((self.listen, 0)).context("listen")?;
        if self.defer {
            let (level, name) = (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT);
            socket::set(&listener, level, name, 10).context("defer accepting")?;
        }
        if self.fast_open {
            let (level, name) = (libc::IPPROTO_TCP, libc::TCP_FASTOPEN);
            socket::set(&listener, level, name, 16).context("allow fast opening")?;
        }
        let port = listener.local_addr()?.port();
        fork::serve(port, self.count, self.workers, |share| {
            self.serve(&listener, share)
        })
    }

    fn serve(&self, listener: &TcpListener, count: usize) -> Result<()> {
        let mut account = Account::of_this_process();
        let reply = [0x5a; REPLY];
        let greeting = if self.greet { REPLY - 1 } else { 0 };
        for _ in 0..count {
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
            let mut stream = self.ask()?;
            stream.read_exact(&mut [0; REPLY])?;
            account.sent += REQUEST as u64;
            account.recv += REPLY as u64;
            if self.rest {
                thread::sleep(Duration::from_millis(2));
            }
            if self.reset {
                set_socket_linger(&stream, Some(Duration::ZERO))?;
            }
        }
        say(&Event::Moved(account))?;
        wait_for_release()
    }

    /// A connection with the request on its way.
    fn ask(&self) -> Result<TcpStream> {
        let request = [0x5a; REQUEST];
        if !self.fast_open {
            let mut stream = TcpStream::connect(self.to).context("connect")?;
            stream.write_all(&request)?;
            return Ok(stream);
        }
        let stream = socket::open(self.to, libc::SOCK_STREAM, 0)?;
        let flags = SendFlags::from_bits_retain(libc::MSG_FASTOPEN.cast_unsigned());
        let sent = sendto(&stream, &request, flags, &self.to).context("connect and send")?;
        ensure!(sent == REQUEST, "{sent} bytes went with the SYN");
        Ok(stream.into())
    }
}
