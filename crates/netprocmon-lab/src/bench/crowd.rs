//! Many sockets, or many processes with a socket each, in a namespace of their own: held by
//! processes of the bench, so that the monitor meets them as it meets anybody's.

use std::io::{BufRead, BufReader, PipeWriter, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use rustix::process::{Pid, Signal, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::worker::{say, told_again};
use crate::net::Namespace;

/// Sockets of one process: below the limit of descriptors that systems have.
const PER_PROCESS: usize = 10_000;

/// What each process of a crowd holds.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Holding {
    /// TCP sockets that are connected with each other
    Tcp {
        /// How many; an even number
        sockets: usize,
    },
    /// One UDP socket
    Udp,
}

/// They are there until this is dropped.
#[derive(Debug)]
pub(super) struct Crowd {
    child: Child,
    stdin: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Crowd {
    /// `count` connected TCP sockets, both ends of half as many connections; in as many processes
    /// as it takes, each with 10,000 of them.
    pub(super) fn of_sockets(namespace: &Namespace, count: usize) -> Result<Self> {
        let processes = count.div_ceil(PER_PROCESS).max(1);
        let each = (count / processes).to_string();
        let args = ["crowd", &processes.to_string(), "tcp", &each];
        Ok(Self::start(namespace, &args)?.0)
    }

    /// `count` processes with one UDP socket each.
    pub(super) fn of_processes(namespace: &Namespace, count: usize) -> Result<Self> {
        Ok(Self::start(namespace, &["crowd", &count.to_string(), "udp"])?.0)
    }

    /// Any worker, and the line that it says when it is ready.
    pub(super) fn start(namespace: &Namespace, args: &[&str]) -> Result<(Self, String)> {
        let netns = namespace.file().try_clone()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg("work").args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let enter = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(())
        };
        // SAFETY: between fork and exec it makes two system calls and touches no lock or heap.
        unsafe { command.pre_exec(enter) };
        let mut child = command.spawn().context("start a worker")?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("a worker without pipes");
        };
        let said = BufReader::new(stdout);
        let mut crowd = Self { child, stdin, said };
        let line = crowd.hear()?;
        Ok((crowd, line))
    }

    /// Each socket moves something, and has when this returns.
    pub(super) fn move_something(&mut self) -> Result<()> {
        self.stdin.write_all(b"\n").context("tell a worker")?;
        self.hear().map(drop)
    }

    fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        self.said.read_line(&mut line).context("hear a worker")?;
        ensure!(!line.is_empty(), "a worker ended before it was done");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // Both fail only when it has ended. What it forked ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The worker: forks `processes`, which wait for a signal each time.
pub(super) fn hold(processes: usize, each: Holding) -> Result<()> {
    rustix::process::setpgid(None, None).context("make a process group")?;
    let (done, mut tell) = std::io::pipe()?;
    block_signal()?;
    let parent = rustix::process::getpid();
    for _ in 0..processes {
        // SAFETY: this process has one thread, so the child finds no lock held by another.
        match unsafe { libc::fork() } {
            -1 => return Err(std::io::Error::last_os_error()).context("fork"),
            0 => {
                let ended = live(each, &mut tell, parent);
                if let Err(error) = &ended {
                    eprintln!("bench: in a crowd: {error:#}");
                }
                // SAFETY: ends the process at once and touches no memory.
                unsafe { libc::_exit(i32::from(ended.is_err())) }
            }
            _ => {}
        }
    }
    drop(tell); // the end of the pipe is the end of all of them
    let mut done = BufReader::new(done);
    let mut all = vec![0; processes];
    done.read_exact(&mut all).context("wait for the sockets")?;
    say("held")?;
    while told_again()? {
        let group = rustix::process::getpgrp();
        rustix::process::kill_process_group(group, Signal::USR1).context("tell the processes")?;
        done.read_exact(&mut all)
            .context("wait for the processes")?;
        say("moved")?;
    }
    Ok(())
}

/// A forked process: moves something on all its sockets each time that it is told, until its
/// parent ends.
fn live(each: Holding, tell: &mut PipeWriter, parent: Pid) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(parent) {
        return Ok(()); // it ended before we asked to be told
    }
    let mut held = Held::open(each)?;
    loop {
        tell.write_all(&[1])?;
        wait_for_signal()?;
        held.move_something()?;
    }
}

/// The sockets of one process.
enum Held {
    Tcp(Vec<(TcpStream, TcpStream)>),
    Udp(UdpSocket),
}

impl Held {
    fn open(each: Holding) -> Result<Self> {
        match each {
            Holding::Tcp { sockets } => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
                let to = listener.local_addr()?;
                let pair = |_| -> Result<_> {
                    let near = TcpStream::connect(to).context("connect")?;
                    near.set_nodelay(true)?;
                    Ok((near, listener.accept().context("accept")?.0))
                };
                (0..sockets / 2)
                    .map(pair)
                    .collect::<Result<_>>()
                    .map(Self::Tcp)
            }
            Holding::Udp => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                let own: SocketAddr = socket.local_addr()?;
                socket.connect(own)?;
                Ok(Self::Udp(socket))
            }
        }
    }

    fn move_something(&mut self) -> Result<()> {
        match self {
            Self::Tcp(pairs) => {
                for (near, far) in pairs {
                    near.write_all(&[1]).context("send")?;
                    far.read_exact(&mut [0]).context("receive")?;
                }
            }
            Self::Udp(socket) => {
                socket.send(&[1])?;
                socket.recv(&mut [0])?;
            }
        }
        Ok(())
    }
}

fn only_usr1() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset fills the whole set that it is given; sigaddset then changes it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR1);
        set.assume_init()
    }
}

/// Here and in all that is forked: it is waited for, not handled.
fn block_signal() -> Result<()> {
    let set = only_usr1();
    // SAFETY: the set lives through the call; the old mask is not wanted.
    let failed =
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    ensure!(failed == 0, "cannot block a signal");
    Ok(())
}

fn wait_for_signal() -> Result<()> {
    let (set, mut got) = (only_usr1(), 0);
    // SAFETY: both live through the call.
    let failed = unsafe { libc::sigwait(&raw const set, &raw mut got) };
    ensure!(failed == 0, "cannot wait for a signal");
    Ok(())
}
