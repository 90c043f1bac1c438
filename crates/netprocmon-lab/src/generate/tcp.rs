//! TCP: any amount up, down, or both at once, on connections that may be older than the monitor
//! and that forked workers may serve.
//!
//! A connection carries rounds. Each opens with a [`Round`] from the client; then the client sends
//! `up` bytes while the server sends `down`.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;

use anyhow::{Context, Result, anyhow};
use clap::Args;

use super::{Account, Event, fork, say, wait_for_go, wait_for_release};

/// Accepts connections and serves what each asks for.
#[derive(Debug, Args)]
pub struct Server {
    #[arg(long)]
    listen: IpAddr,
    /// How many in all; with workers, each takes its equal share.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Processes to fork, which accept on the parent's listener; 0 is to serve in this one.
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// Close each connection when its client has, rather than keep it until the end.
    #[arg(long)]
    close: bool,
}

/// Opens one connection.
#[derive(Debug, Args)]
pub struct Client {
    #[arg(long)]
    to: SocketAddr,
    /// Bytes to send.
    #[arg(long, default_value_t = 0)]
    up: u64,
    /// Bytes to have sent by the server.
    #[arg(long, default_value_t = 0)]
    down: u64,
    /// Bytes to move each way first, before the wait, which are not accounted for.
    #[arg(long, default_value_t = 0)]
    before: u64,
    /// Connect, then wait until told to go on.
    #[arg(long)]
    wait: bool,
}

/// What is to be moved next on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) up: u64,
    pub(super) down: u64,
    /// Whether it belongs into the account.
    pub(super) counted: bool,
    /// Whether no other follows.
    pub(super) last: bool,
}

impl Round {
    pub(super) const LEN: usize = 18;

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.up.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.down.to_be_bytes());
        bytes[16] = self.counted.into();
        bytes[17] = self.last.into();
        bytes
    }

    fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let number = |at: usize| (at..at + 8).fold(0, |sum, i| sum << 8 | u64::from(bytes[i]));
        Self {
            up: number(0),
            down: number(8),
            counted: bytes[16] != 0,
            last: bytes[17] != 0,
        }
    }
}

/// What one end moved: sent, received.
type Both = (u64, u64);

const CHUNK: usize = 64 * 1024;

impl Server {
    pub(super) fn run(self) -> Result<()> {
        let listener = TcpListener::bind((self.listen, 0)).context("listen")?;
        let port = listener.local_addr()?.port();
        fork::serve(port, self.connections, self.workers, |share| {
            self.serve(&listener, share)
        })
    }

    fn serve(&self, listener: &TcpListener, connections: usize) -> Result<()> {
        let mut sessions = Vec::new();
        for _ in 0..connections {
            let stream = self.accept(listener)?;
            say(&Event::Ready)?;
            let close = self.close;
            sessions.push(thread::spawn(move || session(stream, close)));
        }
        let mut account = Account::of_this_process();
        let mut open = Vec::new();
        for session in sessions {
            let ended = session
                .join()
                .map_err(|_| anyhow!("a session panicked"))??;
            account.sent += ended.0.0;
            account.recv += ended.0.1;
            open.push(ended.1);
        }
        say(&Event::Moved(account))?;
        wait_for_release()
    }

    /// Workers accept without asking for the address (accept4 with NULL), which is another way
    /// through the kernel than asking for it.
    fn accept(&self, listener: &TcpListener) -> Result<TcpStream> {
        if self.workers == 0 {
            return Ok(listener.accept().context("accept")?.0);
        }
        let stream = rustix::net::accept(listener.as_fd()).context("accept")?;
        Ok(stream.into())
    }
}

/// Serves a connection's rounds; the stream is given back while it is to stay open.
fn session(mut stream: TcpStream, close: bool) -> Result<(Both, Option<TcpStream>)> {
    let mut total = (0, 0);
    loop {
        let mut bytes = [0; Round::LEN];
        stream.read_exact(&mut bytes).context("read a round")?;
        let round = Round::from_bytes(bytes);
        let (sent, recv) = exchange(&stream, round.down, round.up)?;
        if round.counted {
            total.0 += sent;
            total.1 += recv + Round::LEN as u64;
        }
        if round.last {
            break;
        }
    }
    if !close {
        return Ok((total, Some(stream)));
    }
    stream.read(&mut [0]).context("wait for the client's end")?;
    Ok((total, None))
}

impl Client {
    pub(super) fn run(self) -> Result<()> {
        let mut stream = TcpStream::connect(self.to).context("connect")?;
        let mut account = Account::of_this_process();
        if self.before > 0 {
            round(&mut stream, self.before, self.before, false, false)?;
        }
        if self.wait {
            say(&Event::Ready)?;
            wait_for_go()?;
        }
        (account.sent, account.recv) = round(&mut stream, self.up, self.down, true, true)?;
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

/// One round, from the client's end.
pub(super) fn round(
    stream: &mut TcpStream,
    up: u64,
    down: u64,
    counted: bool,
    last: bool,
) -> Result<Both> {
    let header = Round {
        up,
        down,
        counted,
        last,
    };
    stream
        .write_all(&header.to_bytes())
        .context("open a round")?;
    let (sent, recv) = exchange(stream, up, down)?;
    Ok((sent + Round::LEN as u64, recv))
}

/// Sends and receives, at once when there is both to do.
fn exchange(stream: &TcpStream, send: u64, recv: u64) -> Result<Both> {
    if send == 0 || recv == 0 {
        return Ok((push(stream, send)?, pull(stream, recv)?));
    }
    thread::scope(|scope| {
        let pushing = scope.spawn(|| push(stream, send));
        let pulled = pull(stream, recv)?;
        let pushed = pushing.join().map_err(|_| anyhow!("the sender panicked"))?;
        Ok((pushed?, pulled))
    })
}

/// Sends exactly `length` bytes and gives the sum of what the calls returned.
pub(super) fn push(mut stream: &TcpStream, length: u64) -> Result<u64> {
    let chunk = vec![0x5a; CHUNK];
    let mut sent = 0;
    while sent < length {
        let want = usize::try_from(length - sent).unwrap_or(CHUNK).min(CHUNK);
        sent += stream.write(&chunk[..want]).context("send")? as u64;
    }
    Ok(sent)
}

/// Receives exactly `length` bytes and gives the sum of what the calls returned.
pub(super) fn pull(mut stream: &TcpStream, length: u64) -> Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut got = 0;
    while got < length {
        let want = usize::try_from(length - got).unwrap_or(CHUNK).min(CHUNK);
        let n = stream.read(&mut chunk[..want]).context("receive")?;
        anyhow::ensure!(n > 0, "the peer closed {} bytes early", length - got);
        got += n as u64;
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_read_as_it_was_written() {
        let round = Round {
            up: 0x0102_0304_0506_0708,
            down: 9,
            counted: true,
            last: false,
        };
        assert_eq!(Round::from_bytes(round.to_bytes()), round);
    }

    #[test]
    fn both_ends_account_for_the_same_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let serving = thread::spawn(move || session(server, false));
        round(&mut client, 1000, 2000, false, false).unwrap();
        let (sent, recv) = round(&mut client, 300_001, 70_003, true, true).unwrap();
        let ((served_sent, served_recv), _open) = serving.join().unwrap().unwrap();
        assert_eq!((sent, recv), (served_recv, served_sent));
        assert_eq!(sent, 300_001 + Round::LEN as u64);
    }
}
