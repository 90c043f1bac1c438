//! Generators: processes that know exactly what they moved.
//!
//! Each runs as a process of its own (the lab's binary, started again under the row's name), so
//! that the monitor sees what it sees of any program. It speaks one JSON object a line on standard
//! output ([`Event`]), counts what its own send and receive calls returned, and keeps its sockets
//! open until standard input ends, so that the numbers can be compared before the closing packets.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

mod crowd;
mod datagram;
mod fate;
mod fork;
mod frames;
mod hermit;
mod icmp;
mod names;
mod process;
mod share;
mod sink;
mod small;
mod socket;
pub mod stream;
mod swarm;
mod tcp;
mod tunnel;
mod udp;

pub use process::Running;
pub(crate) use process::named_program;
pub use sink::group;

/// What a generator can do. The names are those of the hidden `generate` subcommand.
#[derive(Debug, Subcommand)]
pub enum Generator {
    /// Accepts TCP connections and does what each asks for.
    TcpServer(tcp::Server),
    /// Opens one TCP connection, sends and receives.
    TcpClient(tcp::Client),
    /// Echoes datagrams.
    UdpServer(udp::Server),
    /// Sends datagrams and waits for each echo.
    UdpClient(udp::Client),
    /// Answers ICMP echo requests through a raw socket, in the kernel's place.
    IcmpServer(icmp::Server),
    /// Sends ICMP echo requests and waits for each reply.
    IcmpClient(icmp::Client),
    /// Echoes datagrams in any of many ways.
    DatagramServer(datagram::Server),
    /// Sends datagrams in any of many ways.
    DatagramClient(datagram::Client),
    /// Echoes messages, in one process or several that share a socket.
    ShareServer(share::Server),
    /// Opens a socket that two processes use.
    Sharer(share::Sharer),
    /// Accepts one TCP connection and uses it in any of many ways.
    StreamServer(stream::Server),
    /// Opens one TCP connection and uses it in any of many ways.
    StreamClient(stream::Client),
    /// Only receives datagrams, of a multicast group too.
    UdpSink(sink::Sink),
    /// Only sends datagrams, to a multicast group too.
    UdpSpray(sink::Spray),
    /// Sends frames below IP.
    Frames(frames::Frames),
    /// Opens very many sockets and uses some.
    Crowd(crowd::Crowd),
    /// Serves many small connections.
    SmallServer(small::Server),
    /// Makes many small connections.
    SmallClient(small::Client),
    /// Executes another program in the middle of a connection.
    Renamed(fate::Renamed),
    /// Two processes with one pid.
    Heirs(fate::Heirs),
    /// Fills a connection and is killed.
    Stuck(fate::Stuck),
    /// Reads late.
    Miser(fate::Miser),
    /// Lives in a network namespace of its own.
    Hermit(hermit::Hermit),
    /// Asks for names and connects to what it is told.
    Asker(names::Asker),
    /// Answers questions for names, some wrongly.
    NameServer(names::NameServer),
    /// Carries a TUN device's packets to its twin.
    Tunnel(tunnel::Tunnel),
    /// Forks many short-lived processes, each with a name of its own.
    Swarm(swarm::Swarm),
}

/// What a generator says, a line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A server has its socket.
    Listening {
        /// The port that it got.
        port: u16,
    },
    /// A worker was forked, a connection is up: the next step may be taken.
    Ready,
    /// A process has moved all that it will.
    Moved(Account),
}

/// What one process moved, by its own calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its pid.
    pub pid: u32,
    /// Its `comm`, as it reads it itself.
    pub name: String,
    /// Bytes that its send calls returned.
    pub sent: u64,
    /// Bytes that its receive calls returned, without the IPv4 headers that raw sockets give.
    pub recv: u64,
    /// What that makes on the wire, where it follows from the calls (everything but TCP).
    pub wire: Option<Wire>,
}

/// Packets and IP bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the contract's names
pub struct Wire {
    pub bytes_sent: u64,
    pub bytes_recv: u64,
    pub packets_sent: u64,
    pub packets_recv: u64,
}

impl Account {
    /// The calling process, which has moved nothing yet.
    fn of_this_process() -> Self {
        let name = rustix::thread::name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        Self {
            pid: std::process::id(),
            name,
            ..Self::default()
        }
    }
}

/// A generator that hangs must not hang the lab.
const LIFETIME_SECONDS: u32 = 90;

impl Generator {
    /// Does it, in this process, to the end.
    pub fn run(self) -> Result<()> {
        // SAFETY: alarm takes a number and touches no memory; the signal's default action ends us.
        unsafe { libc::alarm(LIFETIME_SECONDS) };
        match self {
            Self::TcpServer(server) => server.run(),
            Self::TcpClient(client) => client.run(),
            Self::UdpServer(server) => server.run(),
            Self::UdpClient(client) => client.run(),
            Self::IcmpServer(server) => server.run(),
            Self::IcmpClient(client) => client.run(),
            Self::DatagramServer(server) => server.run(),
            Self::DatagramClient(client) => client.run(),
            Self::ShareServer(server) => server.run(),
            Self::Sharer(sharer) => sharer.run(),
            Self::StreamServer(server) => server.run(),
            Self::StreamClient(client) => client.run(),
            Self::UdpSink(sink) => sink.run(),
            Self::UdpSpray(spray) => spray.run(),
            Self::Frames(frames) => frames.run(),
            Self::Crowd(crowd) => crowd.run(),
            Self::SmallServer(server) => server.run(),
            Self::SmallClient(client) => client.run(),
            Self::Renamed(renamed) => renamed.run(),
            Self::Heirs(heirs) => heirs.run(),
            Self::Stuck(stuck) => stuck.run(),
            Self::Miser(miser) => miser.run(),
            Self::Hermit(hermit) => hermit.run(),
            Self::Asker(asker) => asker.run(),
            Self::NameServer(server) => server.run(),
            Self::Tunnel(tunnel) => tunnel.run(),
            Self::Swarm(swarm) => swarm.run(),
        }
    }
}

/// Says one event. One write of less than `PIPE_BUF` bytes, so that forked processes that share the
/// pipe never mix their lines (pipe(7)).
fn say(event: &Event) -> Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    // SAFETY: descriptor 1 is open for the whole life of the process; nothing here closes it.
    let stdout = unsafe { BorrowedFd::borrow_raw(1) };
    rustix::io::write(stdout, &line).context("write to standard output")?;
    Ok(())
}

/// Waits for the lab to say "go on": one line on standard input.
fn wait_for_go() -> Result<()> {
    // Unbuffered: a byte read too early would be missing from the wait for the end.
    let mut byte = [0];
    while byte != *b"\n" {
        io::stdin().read_exact(&mut byte).context("wait for go")?;
    }
    Ok(())
}

/// Waits until the lab lets go: the end of standard input.
fn wait_for_release() -> Result<()> {
    io::copy(&mut io::stdin(), &mut io::sink()).context("wait for the end of standard input")?;
    Ok(())
}
