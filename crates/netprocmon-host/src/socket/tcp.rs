//! The TCP sockets of one network namespace, looked at again and again; and, where the kernel grants
//! it, what each had counted when it went.
//!
//! Looking needs no privilege, nor do news of ends (`SKNLGRP_INET_TCP_DESTROY`,
//! `<linux/sock_diag.h>`, 4.2; anybody may receive them, `NL_CFG_F_NONROOT_RECV`). They have no inode
//! number and no user: whose a socket was has to be known from a look. What comes too fast is lost,
//! and that is told.
//!
//! Both sockets here belong to the namespace of the thread that opened them, and keep it alive.

use std::io;
use std::os::fd::OwnedFd;

use netprocmon_model::NetnsId;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with, sockopt,
};

use super::Socket;
use super::diag::{self, DUMPS, SOCK_DIAG_BY_FAMILY};
use crate::netlink::{Netlink, messages};
use crate::netns;

/// The groups of TCP over IPv4 and IPv6, 1 and 3, as bits.
const TCP_DESTROY: u32 = 1 << 0 | 1 << 2;
/// Some ten thousand ends between two looks.
const RECEIVE_BUFFER: usize = 8 << 20;
/// A message is about 350 bytes.
const MESSAGE: usize = 4096;

/// Looks at all TCP sockets of one namespace.
#[derive(Debug)]
pub struct Tcp {
    netlink: Netlink,
    netns: NetnsId,
}

impl Tcp {
    /// In the calling thread's namespace, from whichever thread it is asked later.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            netlink: Netlink::sock_diag()?,
            netns: netns::current()?,
        })
    }

    /// The namespace.
    #[must_use]
    pub fn netns(&self) -> NetnsId {
        self.netns
    }

    /// All that there are now, those in time-wait and listeners too.
    pub fn look(&mut self) -> io::Result<Vec<Socket>> {
        let mut found = Vec::new();
        let netns = self.netns;
        for dump in DUMPS.iter().filter(|dump| dump.is_tcp()) {
            let request = diag::request(*dump);
            let part = self.netlink.dump(SOCK_DIAG_BY_FAMILY, &request, |body| {
                diag::parse(*dump, netns, body)
            });
            match part {
                Ok(part) => found.extend(part),
                Err(error) if diag::is_absent(&error) => {} // a kernel without IPv6
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// News of TCP sockets that have ended, for as long as it lives.
#[derive(Debug)]
pub struct Ended {
    socket: OwnedFd,
    netns: NetnsId,
}

impl Ended {
    /// Starts listening in the calling thread's namespace.
    ///
    /// # Errors
    ///
    /// A kernel before 4.2, or one that does not let us.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        // The first needs CAP_NET_ADMIN; without, what there is has to do.
        if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        }
        bind(&socket, &SocketAddrNetlink::new(0, TCP_DESTROY))?;
        Ok(Self {
            socket,
            netns: netns::current()?,
        })
    }

    /// Takes what waits; `false` where some was lost.
    pub fn take(&self, mut each: impl FnMut(Socket)) -> bool {
        let mut buffer = [0; MESSAGE];
        let mut complete = true;
        loop {
            match retry_on_intr(|| recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC)) {
                Ok((_, length)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    for message in messages(datagram) {
                        let dump = DUMPS.iter().find(|dump| dump.is_tcp_of(message.body));
                        let found =
                            dump.and_then(|dump| diag::parse(*dump, self.netns, message.body));
                        found.into_iter().for_each(&mut each);
                    }
                }
                Err(Errno::NOBUFS) => complete = false,
                Err(_) => return complete,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::socket::PeersFin;

    #[test]
    fn payload_to_the_byte_while_it_lives() {
        let mut tcp = Tcp::open().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&[7; 5000]).unwrap();
        let mut some = [0; 1234];
        server.read_exact(&mut some).unwrap();
        let end = server.peer_addr().unwrap();
        let ours = |found: Vec<Socket>| {
            let mut it = found.into_iter();
            it.find(|one| one.remote == Some(end)).unwrap()
        };
        let socket = ours(tcp.look().unwrap());
        let info = socket.tcp.unwrap();
        assert_eq!(info.taken(PeersFin::Open, socket.unread), Some(1234));
        drop(client);
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).unwrap();
        let socket = ours(tcp.look().unwrap());
        let fin = PeersFin::in_state(socket.state);
        assert_eq!(fin, PeersFin::Came);
        assert_eq!(socket.tcp.unwrap().taken(fin, socket.unread), Some(5000));
    }

    #[test]
    fn an_end_is_told_with_what_was_moved() {
        let ended = Ended::open().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let local = client.local_addr().unwrap();
        client.write_all(&[7; 4321]).unwrap();
        drop(client);
        let mut all = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut all).unwrap();
        let mut told = None;
        for _ in 0..1000 {
            ended.take(|one| told = Some(one).filter(|one| one.local == local).or(told.take()));
            if told.is_some() {
                break;
            }
            std::thread::yield_now();
        }
        let told = told.unwrap();
        assert_eq!(told.tcp.unwrap().accepted(told.state), Some(4321));
        assert_eq!(told.inode, 0);
    }
}
