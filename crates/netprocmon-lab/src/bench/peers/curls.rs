//! 300 curl processes, ten at a time, each with one short download from a server of our own: how
//! many of the bytes does a tool put on the right process?

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use netprocmon::IpVersion;
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::bench::Options;
use crate::bench::crowd::Crowd;
use crate::bench::load::bare_link;
use crate::bench::worker::say;
use crate::net::{End, Namespace, Offload};
use crate::peer::Tool;
use crate::truth;

const PROCESSES: usize = 300;
const AT_ONCE: usize = 10;
const BODY: usize = 100_000;
/// For every tool to say its last: they look once a second, and one averages over five.
const GRACE: Duration = Duration::from_secs(6);

/// Of the bytes on the link.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    /// Those that are on the process that moved them.
    pub(super) right: f64,
    pub(super) note: String,
}

#[allow(clippy::cast_precision_loss)]
pub(super) fn shares(options: &Options, tool: &Tool) -> Result<Shares> {
    // Each packet on its own, so that the device counts what every tool sees.
    let link = bare_link(Offload::Off)?;
    let (_server, address) = Crowd::start(link.namespace(End::Right), &["serve"])?;
    let server = address.parse()?;
    let started = tool.start(link.namespace(End::Left))?;
    let before = truth::read(&link.device(End::Left))?.1;
    let count = if options.quick { 30 } else { PROCESSES };
    let pids = run(link.namespace(End::Left), server, count)?;
    thread::sleep(GRACE);
    let moved = truth::read(&link.device(End::Left))?.1.since(before);
    let said = started.end()?;
    let told = tool.told(&said).on(&pids, "curl");
    let all = (moved.bytes_sent + moved.bytes_recv) as f64;
    Ok(Shares {
        right: told as f64 / all,
        note: tool.note(&said),
    })
}

/// The worker: answers every request in the same way, one after the other, until it is killed. A
/// process of its own, or the curls would inherit its sockets for as long as they are not executed.
pub(in crate::bench) fn serve() -> Result<()> {
    let right = SocketAddr::new(End::Right.address(IpVersion::V4), 0);
    let listener = TcpListener::bind(right).context("listen")?;
    say(&listener.local_addr()?.to_string())?;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\nConnection: close\r\n\r\n");
    let mut answer = head.into_bytes();
    answer.resize(answer.len() + BODY, b'x');
    for mut stream in listener.incoming().flatten() {
        let mut request = [0; 1024];
        // A client that goes away early is missing from the sum, and the share shows it.
        if stream.read(&mut request).is_ok() {
            let _ = stream.write_all(&answer);
        }
    }
    Ok(())
}

fn run(namespace: &Namespace, server: SocketAddr, count: usize) -> Result<BTreeSet<u32>> {
    let mut pids = BTreeSet::new();
    let mut running = Vec::new();
    for _ in 0..count {
        if running.len() == AT_ONCE {
            finish(running.remove(0))?;
        }
        let child = curl(namespace, server)?;
        pids.insert(child.id());
        running.push(child);
    }
    running.into_iter().try_for_each(finish)?;
    Ok(pids)
}

fn curl(namespace: &Namespace, server: SocketAddr) -> Result<Child> {
    let netns = namespace.file().try_clone()?;
    let mut command = Command::new("curl");
    command.args(["-s", "-o", "/dev/null", &format!("http://{server}/")]);
    command.stdin(Stdio::null());
    let enter = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(())
    };
    // SAFETY: between fork and exec it makes two system calls and touches no lock or heap.
    unsafe { command.pre_exec(enter) };
    command.spawn().context("start curl")
}

fn finish(mut curl: Child) -> Result<()> {
    let status = curl.wait().context("wait for curl")?;
    ensure!(status.success(), "curl: {status}");
    Ok(())
}
