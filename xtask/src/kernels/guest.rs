//! One guest: what it does when it has booted, and booting it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::archive::{Archive, Kernel};
use super::console::{CLOCK, DONE, LOCKED, RELEASE, STARTED, Said};
use super::image::MODULES;
use crate::shell::command;

/// One of each kind: both protocols, both versions, loopback, buffers that are segmented, sockets
/// that change hands, lives that are short, calls that go their own ways, what the kernel sends itself.
const ROWS: &[&str] = &[
    "tcp up, IPv4",
    "tcp, segmentation offload on, IPv4",
    "udp connected, IPv6",
    "udp unconnected, IPv4",
    "loopback, tcp, IPv4",
    "forked workers on one listener",
    "tcp, passed with SCM_RIGHTS, the opener moved nothing",
    "udp, three workers read one socket, IPv4",
    "1,000 short-lived processes, udp",
    "sockets older than the monitor, tcp",
    "tcp, sendfile, IPv4",
    "tcp, splice both ways, IPv4",
    "raw sockets of protocol 253, IPv6",
    "icmp, ping socket, the kernel answers",
    "each connection, tcp, IPv4",
];

/// Those of the source that counts where the kernel cannot.
const PACKET_ROWS: [&str; 6] = [
    "packets: tcp both ways, IPv4",
    "packets: udp unconnected, IPv6",
    "packets: loopback, tcp",
    "packets: forked workers on one listener",
    "packets: sockets older than the monitor, tcp",
    "packets: 1,000 short-lived processes, tcp",
];

/// Those that are run again when the kernel has been locked down.
const LOCKED_ROWS: [&str; 3] = [
    "tcp up, IPv4",
    "udp, three workers read one socket, IPv4",
    "sockets older than the monitor, tcp",
];

/// A guest on a busy machine takes its time; one that hangs shall not hold up everything.
const LIMIT_SECONDS: &str = "1200";

pub(super) fn usual_rows() -> Vec<&'static str> {
    ROWS.to_vec()
}

/// What a guest does: process 1, a shell script for busybox. Lockdown can be raised while the kernel
/// runs, so that one boot shows both. Last the clock is set back by years under a monitor.
pub(super) fn script(rows: &[&str]) -> String {
    let lab = |rows: &[&str]| {
        rows.iter()
            .fold("/lab/netprocmon-lab".to_owned(), |mut text, row| {
                // Writing to a string cannot fail.
                let _ = write!(text, " --only '{}'", row.replace('\'', r"'\''"));
                text
            })
    };
    let modules = MODULES.join(" ");
    let (all, few, captured) = (lab(rows), lab(&LOCKED_ROWS), lab(&PACKET_ROWS));
    format!(
        "#!/bin/busybox sh
/bin/busybox --install -s /bin
/bin/busybox ln -s /bin/busybox /sbin/modprobe
export PATH=/usr/bin:/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs none /run
mount -t tmpfs none /tmp
mount -t cgroup2 none /sys/fs/cgroup
mount -t securityfs none /sys/kernel/security
ip link set lo up
for module in {modules}; do modprobe -q $module; done
echo \"{RELEASE}$(uname -r)\"
started=$(/lab/netprocmon watch --json --count 1 --delay 0.1 2>&1 | tail -n 1)
echo \"{STARTED}$started\"
case $started in
*'\"source\":\"ebpf\"'*)
  {all}
  if grep -q confidentiality /sys/kernel/security/lockdown; then
    echo confidentiality > /sys/kernel/security/lockdown
    grep -q '\\[confidentiality\\]' /sys/kernel/security/lockdown && echo {LOCKED} && {few}
  fi ;;
*'\"source\":\"packet\"'*)
  {captured} ;;
esac
ping 127.0.0.1 > /dev/null &
/lab/netprocmon watch --json --count 4 --delay 0.5 > /tmp/watched &
watch=$!
until [ -s /tmp/watched ] || ! kill -0 $watch; do usleep 20000; done
date -s '2020-01-01 00:00:00' > /dev/null
wait $watch
echo \"{CLOCK}$(tail -n 1 /tmp/watched)\"
echo {DONE}
poweroff -f
"
    )
}

/// Boots a kernel and reads its console to the end.
pub(super) fn boot(
    archive: &Archive,
    kernel: &Kernel,
    image: &Path,
    verbose: bool,
) -> Result<Said> {
    // Its own loader and libraries, of the release that it comes from.
    let loader = archive.program("usr/lib64/ld-linux-x86-64.so.2");
    let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let [loader, libraries, qemu, firmware, bios] = [
        loader,
        archive.program("usr/lib/x86_64-linux-gnu"),
        archive.program("usr/bin/qemu-system-x86_64"),
        archive.program("usr/share/qemu"),
        archive.program("usr/share/seabios"),
    ]
    .map(path);
    let start = [LIMIT_SECONDS, &loader, "--library-path", &libraries, &qemu];
    let machine = [
        "-L",
        &firmware,
        "-L",
        &bios,
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        "1024",
        "-net",
        "none",
        "-nographic",
        "-no-reboot",
    ];
    let what = ["-append", "console=ttyS0 quiet panic=-1", "-kernel"];
    let mut guest = command("timeout", &[&start[..], &machine, &what].concat())?;
    guest.arg(&kernel.image).arg("-initrd").arg(image);
    eprintln!("xtask: boots Linux {}", kernel.release);
    let mut guest = guest.stdout(Stdio::piped()).spawn().context("start QEMU")?;
    let mut console = String::new();
    let mut output = BufReader::new(guest.stdout.take().context("no console")?);
    let mut line = Vec::new();
    while output.by_ref().read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if verbose {
            // Without what would clear the screen.
            eprint!(
                "{}",
                text.replace(|one: char| one.is_control() && one != '\n', "")
            );
        }
        console.push_str(&text);
        line.clear();
    }
    let status = guest.wait()?;
    let said = Said::parse(&console);
    if !said.done {
        let mut last: Vec<_> = console.lines().rev().take(30).collect();
        last.reverse();
        bail!(
            "it did not come to its end ({status}):\n{}",
            last.join("\n")
        );
    }
    Ok(said)
}
