//! Traffic over a link, for as long as it is wanted: one sender and one receiver, each a thread on
//! a processor of its own, which count what their calls returned.
//!
//! The loops do as little as can be done, so that what the monitor costs is not hidden behind what
//! the generator costs: no batches, no pauses, no allocation.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use netprocmon::IpVersion;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::machine;
use crate::net::{End, Link, Offload};

/// Bytes of payload in a datagram.
const DATAGRAM: usize = 64;
/// Bytes handed to one call on a stream.
const CHUNK: usize = 128 * 1024;
/// How long a receiver that gets nothing waits before it looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(100);
/// Until the stream has found its speed.
const WARM_UP: Duration = Duration::from_millis(500);

/// Two namespaces and one veth pair, with nothing on the path that is not always there: the lab's
/// packet filter is taken off.
pub(super) fn bare_link(offload: Offload) -> Result<Link> {
    let link = Link::direct(offload)?;
    for end in [End::Left, End::Right] {
        let namespace = link.namespace(end);
        namespace.run("nft", &["delete", "table", "inet", "lab"])?;
    }
    Ok(link)
}

/// Which traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Datagrams of 64 bytes.
    Datagrams,
    /// One stream, as fast as it goes.
    Stream,
}

/// Calls and bytes of one side, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Done {
    calls: AtomicU64,
    bytes: AtomicU64,
}

/// Traffic that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    received: Arc<Done>,
    sent: Arc<Done>,
    threads: Vec<JoinHandle<()>>,
}

/// What went through in one window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) calls_sent: u64,
    pub(super) calls_received: u64,
    pub(super) bytes_received: u64,
    pub(super) elapsed: Duration,
}

impl Load {
    /// Starts it, from the left end to the right one, and lets it come up to speed.
    pub(super) fn start(link: &Link, kind: Kind) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sent, received) = (Arc::<Done>::default(), Arc::<Done>::default());
        let to = SocketAddr::new(End::Right.address(IpVersion::V4), 0);
        let (left, right) = (link.namespace(End::Left), link.namespace(End::Right));
        let mut load = Self {
            stop: stop.clone(),
            received: received.clone(),
            sent: sent.clone(),
            threads: Vec::new(),
        };
        let halt = stop.clone();
        match kind {
            Kind::Datagrams => {
                let sink = right.inside(|| UdpSocket::bind(to))?.context("bind")?;
                sink.set_read_timeout(Some(PATIENCE))?;
                let to = sink.local_addr()?;
                let source = left.inside(|| UdpSocket::bind(("0.0.0.0", 0)))??;
                source.connect(to).context("connect")?;
                load.run(1, move || {
                    drain(&halt, &received, |buffer| sink.recv(buffer));
                });
                load.run(0, move || {
                    push(&stop, &sent, DATAGRAM, |bytes| source.send(bytes));
                });
            }
            Kind::Stream => {
                let listener = right.inside(|| TcpListener::bind(to))?.context("listen")?;
                let to = listener.local_addr()?;
                let mut source = left.inside(|| TcpStream::connect(to))?.context("connect")?;
                let (mut sink, _) = listener.accept()?;
                source.set_write_timeout(Some(PATIENCE))?;
                sink.set_read_timeout(Some(PATIENCE))?;
                load.run(1, move || {
                    drain(&halt, &received, |buffer| sink.read(buffer));
                });
                load.run(0, move || {
                    push(&stop, &sent, CHUNK, |bytes| source.write(bytes));
                });
            }
        }
        thread::sleep(WARM_UP);
        Ok(load)
    }

    fn run(&mut self, processor: usize, work: impl FnOnce() + Send + 'static) {
        self.threads.push(thread::spawn(move || {
            let mut own = CpuSet::new();
            own.set(processor % machine::cores());
            // Without it the figures only spread more.
            let _ = sched_setaffinity(None, &own);
            work();
        }));
    }

    /// Waits for `length` and says what went through meanwhile.
    pub(super) fn window(&self, length: Duration) -> Window {
        let read = || {
            (
                self.sent.calls.load(Relaxed),
                self.received.calls.load(Relaxed),
                self.received.bytes.load(Relaxed),
            )
        };
        let (start, then) = (Instant::now(), read());
        thread::sleep(length);
        let (elapsed, now) = (start.elapsed(), read());
        Window {
            calls_sent: now.0 - then.0,
            calls_received: now.1 - then.1,
            bytes_received: now.2 - then.2,
            elapsed,
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has ended, too.
            let _ = thread.join();
        }
    }
}

impl Window {
    /// Both taken together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            calls_sent: self.calls_sent + other.calls_sent,
            calls_received: self.calls_received + other.calls_received,
            bytes_received: self.bytes_received + other.bytes_received,
            elapsed: self.elapsed + other.elapsed,
        }
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn sent_per_second(&self) -> f64 {
        self.calls_sent as f64 / self.elapsed.as_secs_f64()
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn received_per_second(&self) -> f64 {
        self.calls_received as f64 / self.elapsed.as_secs_f64()
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn gigabits_per_second(&self) -> f64 {
        self.bytes_received as f64 * 8e-9 / self.elapsed.as_secs_f64()
    }
}

fn push(
    stop: &AtomicBool,
    done: &Done,
    size: usize,
    mut send: impl FnMut(&[u8]) -> std::io::Result<usize>,
) {
    let bytes = vec![0x5a; size];
    while !stop.load(Relaxed) {
        // A full queue, a receiver that has gone: the next call tells, or we are told to stop.
        if let Ok(moved) = send(&bytes) {
            done.calls.fetch_add(1, Relaxed);
            done.bytes.fetch_add(moved as u64, Relaxed);
        }
    }
}

fn drain(
    stop: &AtomicBool,
    done: &Done,
    mut receive: impl FnMut(&mut [u8]) -> std::io::Result<usize>,
) {
    let mut buffer = vec![0; CHUNK];
    while !stop.load(Relaxed) {
        if let Ok(moved) = receive(&mut buffer) {
            done.calls.fetch_add(1, Relaxed);
            done.bytes.fetch_add(moved as u64, Relaxed);
        }
    }
}
