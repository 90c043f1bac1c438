//! A tunnel in user space: takes IP packets from a TUN device and carries each in a datagram to its
//! twin, as VPN programs do. It knows what it carried, so its own socket is accounted for too.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use clap::Args;
use rustix::event::{PollFd, PollFlags, poll};

use super::udp::ip_header;
use super::{Account, Event, Wire, say};

/// Carries a TUN device's packets until told to stop; says what it carried when told to go on.
#[derive(Debug, Args)]
pub struct Tunnel {
    /// The TUN device, which must be there.
    #[arg(long)]
    device: String,
    #[arg(long)]
    listen: SocketAddr,
    /// Where the twin listens.
    #[arg(long)]
    to: SocketAddr,
}

const LARGEST: usize = 65_535;
const UDP_HEADER: u64 = 8;

impl Tunnel {
    pub(super) fn run(self) -> Result<()> {
        let mut device = open_tun(&self.device)?;
        let socket = UdpSocket::bind(self.listen).context("bind")?;
        let header = header(self.listen.ip());
        let mut account = Account::of_this_process();
        let mut wire = Wire::default();
        let mut buffer = vec![0; LARGEST];
        let stdin = std::io::stdin();
        say(&Event::Ready)?;
        loop {
            let mut waiting = [
                PollFd::new(&device, PollFlags::IN),
                PollFd::new(&socket, PollFlags::IN),
                PollFd::new(&stdin, PollFlags::IN),
            ];
            poll(&mut waiting, None).context("wait for packets")?;
            let [from_device, from_socket, told] = waiting.map(|fd| !fd.revents().is_empty());
            if from_device {
                let length = device.read(&mut buffer).context("read the TUN device")?;
                let sent = socket.send_to(&buffer[..length], self.to)? as u64;
                account.sent += sent;
                wire.packets_sent += 1;
                wire.bytes_sent += sent + header;
            }
            if from_socket {
                let length = socket.recv(&mut buffer).context("receive")?;
                account.recv += length as u64;
                wire.packets_recv += 1;
                wire.bytes_recv += length as u64 + header;
                device
                    .write_all(&buffer[..length])
                    .context("write to the TUN device")?;
            }
            if told {
                let mut byte = [0];
                if rustix::io::read(stdin.as_fd(), &mut byte)? == 0 {
                    return Ok(());
                }
                say(&Event::Moved(Account {
                    wire: Some(wire),
                    ..account.clone()
                }))?;
            }
        }
    }
}

const fn header(address: IpAddr) -> u64 {
    ip_header(address) + UDP_HEADER
}

/// Attaches to a TUN device: packets without the packet information header.
pub(super) fn open_tun(name: &str) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .context("open /dev/net/tun")?;
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    anyhow::ensure!(name.len() < request.ifr_name.len(), "{name:?} is too long");
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    #[allow(clippy::cast_possible_truncation)] // two bits of 16
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    request.ifr_ifru.ifru_flags = flags;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which lives as long as the call.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if done < 0 {
        return Err(std::io::Error::last_os_error())
            .with_context(|| format!("attach to the TUN device {name}"));
    }
    Ok(file)
}
