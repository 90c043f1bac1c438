//! A sender below IP: writes whole Ethernet frames with UDP in them through an `AF_PACKET` socket,
//! as packet tools and DHCP clients do. No socket of IP's sees them leave.

use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{Account, Event, say, wait_for_release};

/// Sends UDP in Ethernet frames of its own making.
#[derive(Debug, Args)]
pub struct Frames {
    /// The device to send by.
    #[arg(long)]
    device: String,
    /// The other end's Ethernet address, as six bytes in hexadecimal.
    #[arg(long)]
    mac: String,
    #[arg(long)]
    from: SocketAddrV4,
    #[arg(long)]
    to: SocketAddrV4,
    #[arg(long)]
    count: u64,
    /// Bytes of UDP payload in each.
    #[arg(long)]
    size: u16,
}

const ETHERTYPE_IPV4: [u8; 2] = [8, 0];
const IP: u16 = 20;
const UDP: u16 = 8;

impl Frames {
    pub(super) fn run(self) -> Result<()> {
        let socket = open(&self.device)?;
        let frame = self.frame()?;
        for _ in 0..self.count {
            let sent = rustix::io::write(&socket, &frame).context("send a frame")?;
            anyhow::ensure!(sent == frame.len(), "a frame was cut to {sent} bytes");
        }
        // It moved no byte of IP's by its own calls; what it put on the wire is the row's to say.
        say(&Event::Moved(Account::of_this_process()))?;
        wait_for_release()
    }

    fn frame(&self) -> Result<Vec<u8>> {
        let mut frame = Vec::new();
        for byte in self.mac.split(':') {
            frame.push(u8::from_str_radix(byte, 16).context("an Ethernet address")?);
        }
        frame.extend([2, 0, 0, 0, 0, 1]);
        frame.extend(ETHERTYPE_IPV4);
        frame.extend(self.packet());
        Ok(frame)
    }

    /// RFC 791 and RFC 768; a UDP checksum of 0 is none.
    fn packet(&self) -> Vec<u8> {
        let length = IP + UDP + self.size;
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]); // do not fragment, TTL 64, UDP
        packet.extend(self.from.ip().octets());
        packet.extend(self.to.ip().octets());
        let sum = super::icmp::checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(self.from.port().to_be_bytes());
        packet.extend(self.to.port().to_be_bytes());
        packet.extend((UDP + self.size).to_be_bytes());
        packet.extend([0, 0]);
        packet.resize(usize::from(length), 0x5a);
        packet
    }
}

/// An `AF_PACKET` socket that sends by `device` and receives nothing (packet(7)).
fn open(device: &str) -> Result<OwnedFd> {
    let name = std::ffi::CString::new(device)?;
    // SAFETY: the name is NUL-terminated and lives as long as the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    // SAFETY: socket takes numbers and touches no memory.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 || index == 0 {
        bail!(
            "open a packet socket on {device}: {}",
            std::io::Error::last_os_error()
        );
    }
    // SAFETY: a descriptor that was just made and that nobody else has.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all-zero is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET)?;
    address.sll_ifindex = i32::try_from(index)?;
    let length = u32::try_from(size_of_val(&address))?;
    // SAFETY: the address is a whole sockaddr_ll, which lives as long as the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound < 0 {
        return Err(std::io::Error::last_os_error()).context("bind the packet socket");
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_ethernet_and_its_ip_header_sums_to_zero() {
        let frames = Frames {
            device: "left0".into(),
            mac: "02:00:00:00:00:02".into(),
            from: "192.0.2.1:7".parse().unwrap(),
            to: "192.0.2.2:9".parse().unwrap(),
            count: 1,
            size: 100,
        };
        let frame = frames.frame().unwrap();
        assert_eq!(frame.len(), 14 + 20 + 8 + 100);
        assert_eq!(crate::generate::icmp::checksum(&frame[14..34]), 0);
    }
}
