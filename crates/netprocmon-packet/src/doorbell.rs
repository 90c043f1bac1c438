//! What cannot wait for the ring: the first packet of a connection, or a question to a name server,
//! of a process that may live only a few milliseconds.
//!
//! The ring hands packets over when a block is full or old; this socket wakes its reader with each
//! packet, and its filter lets only those few through. They are looked up at once and counted later,
//! when the ring has them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::SocketType;

use crate::filter::{self, SNAP_LENGTH};
use crate::parse::{Link, Packet, parse};
use crate::socket::PacketSocket;

/// Rings for the first packets of what this host begins, in the namespace that it was opened in.
#[derive(Debug)]
pub(crate) struct Doorbell {
    socket: PacketSocket,
}

impl Doorbell {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = PacketSocket::open(SocketType::DGRAM)?;
        socket.filter(&filter::DOORBELL)?;
        socket.listen()?;
        Ok(Self { socket })
    }

    /// The next of them, if there is one, and the interface that it leaves by. What comes too fast is lost here, and only here: the ring
    /// has it too.
    pub(crate) fn next(&self) -> Option<(Packet, u32)> {
        let mut buffer = [0; SNAP_LENGTH as usize];
        loop {
            let (length, interface) = self.socket.receive(&mut buffer).ok()?;
            let bytes = buffer.get(..length).unwrap_or_default();
            let packet = parse(bytes, Link::Ip).ok();
            if let Some(packet) = packet.filter(|packet| packet.fragment.is_none()) {
                return Some((packet, interface));
            }
        }
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
