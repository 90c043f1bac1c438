//! The source against the kernel's own counters, in a network namespace of its own where nothing
//! else moves. Needs root; `cargo xtask test` runs it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used)] // as in tests

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use netprocmon_host::netns;
use netprocmon_model::{Delta, Observation, Owner, Pid, Protocol, Reason};
use netprocmon_packet::{Options, PacketSource};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Bytes and packets of an owner, sent and received, on the device's basis.
type Sums = BTreeMap<(Owner, Protocol), [i64; 4]>;

fn in_a_namespace<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: only this thread's network namespace is another from now on.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
            let up = Command::new("ip")
                .args(["link", "set", "lo", "up"])
                .status();
            assert!(up.unwrap().success());
            f()
        });
        thread.join().unwrap()
    })
}

fn collect(source: &mut PacketSource, sums: &mut Sums) {
    let here = netns::current().unwrap();
    source.collect(|observation| {
        // Root sees the other namespaces too.
        if let Observation::Traffic(key, delta) = observation
            && key.interface.netns == here
        {
            let Delta { merged, .. } = delta;
            let sum = sums.entry((key.owner, key.protocol)).or_default();
            sum[0] += delta.bytes_sent - merged.bytes_sent;
            sum[1] += delta.packets_sent - merged.packets_sent;
            sum[2] += delta.bytes_recv - merged.bytes_recv;
            sum[3] += delta.packets_recv - merged.packets_recv;
            assert_eq!(
                (delta.payload_sent, delta.retransmitted_bytes),
                (None, None)
            );
        }
    });
}

/// What the device has counted, sent and received (`proc_pid_net(5)`): loopback counts from the IP
/// header on.
fn device() -> [i64; 4] {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"))
        .unwrap();
    let numbers: Vec<i64> = line
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    let (recv, sent) = (&numbers[..2], &numbers[8..10]);
    [sent[0], sent[1], recv[0], recv[1]]
}

fn total(sums: &Sums) -> [i64; 4] {
    let mut total = [0; 4];
    for sum in sums.values() {
        total.iter_mut().zip(sum).for_each(|(all, one)| *all += one);
    }
    total
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn every_byte_over_loopback_is_counted_once_for_each_side_and_is_ours() {
    in_a_namespace(|| {
        let mut source = PacketSource::start(Options::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let sending = std::thread::spawn(move || {
            client.write_all(&vec![7; 3_000_000]).unwrap();
            client
        });
        let mut received = vec![0; 3_000_000];
        server.read_exact(&mut received).unwrap();
        let client = sending.join().unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let long = vec![1; 60_000]; // less than the device's MTU; in one piece
        datagrams
            .send_to(&long, datagrams.local_addr().unwrap())
            .unwrap();
        datagrams.send_to(b"nobody", "127.0.0.1:9").unwrap();
        // The last acknowledgement may be late.
        let (mut sums, mut before) = (Sums::new(), [0; 4]);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let counted = device();
            collect(&mut source, &mut sums);
            if total(&sums) == counted && counted == before {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{:?} of {counted:?}",
                total(&sums)
            );
            before = counted;
        }
        let here = Pid(std::process::id());
        for ((owner, protocol), sum) in sums {
            match owner {
                Owner::Process(process) => assert_eq!(process.pid, here),
                // A packet to a closed port, and the kernel's answer to it.
                Owner::Unattributed(reason) => {
                    let expected = match protocol {
                        Protocol::UDP => (Reason::NoSocket, [0, 0, 34, 1]),
                        _ => (Reason::Kernel, [62, 1, 62, 1]),
                    };
                    assert!(
                        sum == [0; 4] || (reason, sum) == expected,
                        "{reason:?} {sum:?}"
                    );
                }
            }
        }
        drop((client, server));
    });
}

/// How long the server thinks: without it a connection over loopback is over after 0.2 ms, before a
/// debug build is awake. What is nearly at once is the lab's to measure.
const THOUGHT: Duration = Duration::from_millis(3);
const PROGRAMS: usize = 20;
/// Whoever is late finds none of them; how many are missed depends on what else the machine does.
const AT_LEAST: usize = PROGRAMS * 3 / 4;

/// Asks a server in this process with a program, whose pid this gives.
fn ask_with_curl(listener: &TcpListener) -> Pid {
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut curl = Command::new("curl")
        .args(["-s", "-o", "/dev/null", &url])
        .spawn()
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let _ = server.read(&mut [0; 1000]).unwrap();
    std::thread::sleep(THOUGHT);
    let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n";
    server
        .write_all(&[&answer[..], &[7; 1000]].concat())
        .unwrap();
    drop(server);
    assert!(curl.wait().unwrap().success());
    Pid(curl.id())
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn programs_of_a_few_milliseconds_have_their_bytes() {
    in_a_namespace(|| {
        let mut source = PacketSource::start(Options::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let programs: Vec<_> = (0..PROGRAMS).map(|_| ask_with_curl(&listener)).collect();
        let mut sums = Sums::new();
        collect(&mut source, &mut sums);
        let of = |pid: Pid| {
            let theirs = sums.iter().filter(
                |((owner, _), _)| matches!(owner, Owner::Process(process) if process.pid == pid),
            );
            theirs.map(|(_, sum)| sum[2]).sum::<i64>()
        };
        let found = programs.iter().filter(|pid| of(**pid) > 1000).count();
        assert!(found >= AT_LEAST, "{found} of {PROGRAMS}: {sums:?}");
        // This process listens all the time: whatever it was asked is its own.
        let asked = of(Pid(std::process::id()));
        assert!(asked > 100 * i64::try_from(PROGRAMS).unwrap(), "{sums:?}");
        assert_eq!(total(&sums), device());
    });
}
