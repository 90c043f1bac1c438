//! Processes that something happens to: one that takes on another name in the middle of its
//! connection, one whose pid is given to another, one that is killed with data still queued.

use std::ffi::CString;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::udp::{Counted, any};
use super::{Account, Event, fork, say, tcp, wait_for_go, wait_for_release};

/// Opens a connection, uses it, executes another program on it, and uses it there.
#[derive(Debug, Args)]
pub struct Renamed {
    #[arg(long)]
    to: SocketAddr,
    /// The program to execute: the lab's own under another name.
    #[arg(long)]
    into: PathBuf,
    /// The connection, after that.
    #[arg(long)]
    fd: Option<i32>,
    #[arg(long, default_value_t = 0)]
    sent: u64,
    #[arg(long, default_value_t = 0)]
    recv: u64,
}

impl Renamed {
    pub(super) fn run(self) -> Result<()> {
        let Some(fd) = self.fd else {
            return Err(self.before());
        };
        // SAFETY: the descriptor was left open for us by `before`, and nobody else knows of it.
        let mut stream = unsafe { TcpStream::from_raw_fd(fd) };
        let (sent, recv) = tcp::round(&mut stream, 1_000_003, 500_001, true, true)?;
        let mut account = Account::of_this_process();
        account.sent = self.sent + sent;
        account.recv = self.recv + recv;
        say(&Event::Moved(account))?;
        wait_for_release()
    }

    /// Comes back only when something failed.
    fn before(&self) -> anyhow::Error {
        let moved = || -> Result<_> {
            let mut stream = TcpStream::connect(self.to).context("connect")?;
            let moved = tcp::round(&mut stream, 700_001, 300_007, true, false)?;
            fcntl_setfd(&stream, FdFlags::empty())?;
            say(&Event::Ready)?;
            wait_for_go()?;
            Ok((stream, moved))
        };
        let (stream, (sent, recv)) = match moved() {
            Ok(moved) => moved,
            Err(error) => return error,
        };
        let mut command = Command::new(&self.into);
        command.args(["generate", "renamed", "--to", &self.to.to_string()]);
        command.arg("--into").arg(&self.into);
        command.args(["--fd", &stream.as_raw_fd().to_string()]);
        command.args(["--sent", &sent.to_string(), "--recv", &recv.to_string()]);
        anyhow!(command.exec()).context("execute the other program")
    }
}

/// Two processes with one pid, one after the other.
#[derive(Debug, Args)]
pub struct Heirs {
    #[arg(long)]
    to: SocketAddr,
}

/// Datagrams that the first and the second send.
const EACH: [u64; 2] = [100, 300];
/// The kernel tells the start of a process in hundredths of a second: two with one pid that start
/// in the same one are not told apart.
const TICK: Duration = Duration::from_millis(20);

impl Heirs {
    pub(super) fn run(self) -> Result<()> {
        let start = Instant::now();
        let first = fork::fork(|| self.live("first", EACH[0]))?;
        fork::join(Some(first))?;
        while start.elapsed() < TICK {
            std::hint::spin_loop();
        }
        match clone_as(first.as_raw_nonzero().get())? {
            0 => {
                let status = i32::from(self.live("second", EACH[1]).is_err());
                // SAFETY: ends the process at once and touches no memory.
                unsafe { libc::_exit(status) }
            }
            _ => fork::join(Some(first))?,
        }
        wait_for_release()
    }

    fn live(&self, name: &str, count: u64) -> Result<()> {
        rustix::thread::set_name(&CString::new(name)?).context("take a name")?;
        let mut socket = Counted::bind(any(self.to.ip()), 0)?;
        let mut buffer = [0; 400];
        for _ in 0..count {
            socket.send(&[0x5a; 333], Some(self.to))?;
            socket.recv(&mut buffer)?;
        }
        let (account, _open) = socket.into_account();
        say(&Event::Moved(Account {
            // What getpid(2) says; std may remember the parent's.
            pid: rustix::process::getpid()
                .as_raw_nonzero()
                .get()
                .cast_unsigned(),
            ..account
        }))
    }
}

/// clone3(2) like fork(2), to a process with this pid, which must be free.
fn clone_as(pid: i32) -> Result<i64> {
    #[repr(C)]
    #[derive(Default)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
    }
    let args = CloneArgs {
        exit_signal: libc::SIGCHLD.unsigned_abs().into(),
        set_tid: (&raw const pid).addr() as u64,
        set_tid_size: 1,
        ..CloneArgs::default()
    };
    // SAFETY: as fork, of a process with one thread; `args` and `pid` live as long as the call.
    let done = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    if done < 0 {
        return Err(std::io::Error::last_os_error())
            .with_context(|| format!("make a process with the pid {pid}"));
    }
    Ok(done)
}

/// Sends until nothing more fits into the connection, says how much that was, and waits to be
/// killed.
#[derive(Debug, Args)]
pub struct Stuck {
    #[arg(long)]
    to: SocketAddr,
}

impl Stuck {
    pub(super) fn run(self) -> Result<()> {
        let mut stream = TcpStream::connect(self.to).context("connect")?;
        stream.set_nonblocking(true)?;
        let mut account = Account::of_this_process();
        // The peer's kernel takes what fits there; it is full when nothing went for a while.
        let mut since = Instant::now();
        while since.elapsed() < Duration::from_millis(300) {
            match stream.write(&[0x5a; 10_000]) {
                Ok(sent) => {
                    account.sent += sent as u64;
                    since = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error).context("send"),
            }
        }
        say(&Event::Moved(account))?;
        wait_for_release()?;
        bail!("nobody killed it")
    }
}

/// Accepts one connection, reads nothing until told to, then everything.
#[derive(Debug, Args)]
pub struct Miser {
    #[arg(long)]
    listen: IpAddr,
}

impl Miser {
    pub(super) fn run(self) -> Result<()> {
        let listener = TcpListener::bind((self.listen, 0)).context("listen")?;
        // Of the listener's, and so of the connection's from its first packet on.
        set_socket_recv_buffer_size(listener.as_fd(), 8000)?;
        let port = listener.local_addr()?.port();
        say(&Event::Listening { port })?;
        let (mut stream, _) = listener.accept().context("accept")?;
        wait_for_go()?;
        let mut account = Account::of_this_process();
        let mut buffer = [0; 10_000];
        loop {
            let got = stream.read(&mut buffer).context("receive")?;
            account.recv += got as u64;
            if got == 0 {
                break;
            }
        }
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}
