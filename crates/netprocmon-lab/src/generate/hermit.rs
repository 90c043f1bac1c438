//! A process in a network namespace of its own that is there for a moment only: the namespace is
//! made, gets a device, is used, and is gone with the process.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::tunnel::open_tun;
use super::udp::{Counted, any};
use super::{Event, say, wait_for_go, wait_for_release};

/// Waits until told to go on, then sends datagrams by a TUN device in a namespace of its own, and
/// takes them out at its other side. Both are there until the lab lets go.
#[derive(Debug, Args)]
pub struct Hermit {
    /// The device's name.
    #[arg(long)]
    device: String,
    #[arg(long)]
    count: u64,
}

impl Hermit {
    pub(super) fn run(self) -> Result<()> {
        wait_for_go()?;
        // SAFETY: this process has one thread and shares no descriptors' table with another.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.context("make a network namespace")?;
        // Nothing of IPv6's own may be sent by the device.
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
        let mut tun = open_tun(&self.device)?;
        for line in [
            format!("link set {} up", self.device),
            format!("addr add 192.0.2.1/24 dev {}", self.device),
        ] {
            let done = Command::new("ip").args(line.split(' ')).status()?;
            ensure!(done.success(), "ip {line}: {done}");
        }
        let to = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 2), 9));
        let mut socket = Counted::bind(any(to.ip()), 0)?;
        let mut buffer = [0; 2000];
        for _ in 0..self.count {
            socket.send(&[0x5a; 500], Some(to))?;
            let length = tun.read(&mut buffer).context("read the TUN device")?;
            ensure!(length == 528, "a packet of {length} bytes");
        }
        let (account, _open) = socket.into_account();
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}
