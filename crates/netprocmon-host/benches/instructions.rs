//! How many instructions it takes to take apart what the kernel says of processes, mounts and
//! sockets. `cargo xtask instructions` compares them with the committed ones.
//!
//! The texts are recordings, so the counts do not depend on the machine. Their parsers are nobody's
//! business outside the crate; the files that hold them depend on nothing and are compiled in here
//! a second time, which is the lesser evil beside making them public. The parser of `sock_diag` is
//! reached through the listing of a namespace of our own with a known number of sockets, which
//! needs root: that one group is called `root`, so that it can be left out by name.
#![allow(missing_docs)] // of what the macros make
#![allow(clippy::unwrap_used)] // as in tests

use std::hint::black_box;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use gungraun::Callgrind;
use gungraun::prelude::*;
use netprocmon_host::socket::{self, Socket};

// Cargo compiles benches with `cfg(test)`, so their tests are here too, but nothing runs them.
#[allow(dead_code, unused_imports, unreachable_pub)]
#[path = "../src/mountinfo.rs"]
mod mountinfo;
#[allow(dead_code, unused_imports, unreachable_pub)]
#[path = "../src/process/stat.rs"]
mod stat;

use stat::{Stat, Status};

const STAT: &[u8] = b"1234 (tmux: (server) 1) S 1 1234 1234 0 -1 4194560 5062 108372 0 21 \
    1234 987 4321 765 20 0 1 0 1861 12070912 1534 18446744073709551615 94276431740928 \
    94276432254629 140728186402896 0 0 0 0 528386 134433281 0 0 0 17 1 0 0 0 0 0 \
    94276432389520 94276432432864 94276449062912 140728186406652 140728186406683 \
    140728186406683 140728186408936 0\n";

const STATUS: &[u8] = b"Name:\ttmux: (server) 1\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1234\n\
    Ngid:\t0\nPid:\t1234\nPPid:\t1\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\n\
    Gid:\t1000\t1000\t1000\t1000\nFDSize:\t64\nGroups:\t4 24 27 30 46 100 118 1000 \n\
    NStgid:\t1234\nNSpid:\t1234\nNSpgid:\t1234\nNSsid:\t1234\nVmPeak:\t   11788 kB\n";

const CGROUP: &[u8] = b"13:pids:/user.slice\n1:name=systemd:/user.slice/user-1000.slice\n\
    0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-tmux.scope (deleted)\n";

const MOUNT: &str = "1511 1496 0:135 / /var/lib/docker/overlay2/3f1c\\040x/merged rw,relatime \
    shared:5 master:1 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A:B,upperdir=/u\n";

/// Pairs of connected sockets, whose listener is gone.
const PAIRS: usize = 250;

#[library_benchmark]
fn process_texts() -> (Option<Stat>, Option<Status>, Option<String>) {
    let stat = Stat::parse(black_box(STAT));
    let status = Status::parse(black_box(STATUS));
    (stat, status, stat::cgroup_v2(black_box(CGROUP)))
}

#[library_benchmark]
#[bench::lines_100(MOUNT.repeat(100))]
fn mounts(text: String) -> (String, Vec<mountinfo::Mount>) {
    let mounts = mountinfo::parse(text.as_bytes());
    (text, mounts)
}

/// A namespace of this process's own, with connected sockets in it.
fn crowd() -> Vec<(TcpStream, TcpStream)> {
    own_namespace();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let pair = |_| {
        let client = TcpStream::connect(address).unwrap();
        (client, listener.accept().unwrap().0)
    };
    (0..PAIRS).map(pair).collect()
}

/// Moves this process into a new network namespace with its loopback up; ip(8) does that best.
fn own_namespace() {
    // SAFETY: changes nothing in memory; the process has one thread.
    let done = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(done, 0, "unshare: {}", std::io::Error::last_os_error());
    let up = std::process::Command::new("/sbin/ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.unwrap().success(), "ip link set lo up");
}

#[library_benchmark]
#[bench::connections_500(crowd())]
fn list_sockets(crowd: Vec<(TcpStream, TcpStream)>) -> (Vec<(TcpStream, TcpStream)>, Vec<Socket>) {
    let found = socket::list().unwrap();
    assert_eq!(found.len(), 2 * PAIRS);
    (crowd, found)
}

library_benchmark_group!(name = anyone, benchmarks = [process_texts, mounts]);
library_benchmark_group!(name = root, benchmarks = [list_sockets]);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args([
        "--cache-sim=no",
        "--trace-children=no",
    ])),
    library_benchmark_groups = [anyone, root]
);
