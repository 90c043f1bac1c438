//! A packet socket (packet(7)) and the options that no library of ours knows.
//!
//! Needs `CAP_NET_RAW` in the network namespace. It sees what crosses any interface of it, in both
//! directions, and only that namespace.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// All of them, incoming and outgoing (`ETH_P_ALL`).
const EVERY_PROTOCOL: u16 = 3;

/// A packet socket.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    fd: OwnedFd,
}

impl PacketSocket {
    /// Of the kind `RAW`, whose packets begin with the header of the link, or `DGRAM`, whose packets
    /// begin with the IP header. Sees nothing before [`PacketSocket::listen`].
    pub(crate) fn open(kind: SocketType) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::PACKET, kind, flags, None)?;
        Ok(Self { fd })
    }

    /// Lets through only what the program says.
    pub(crate) fn filter(&self, program: &[libc::sock_filter]) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(program.len()).map_err(io::Error::other)?,
            filter: program.as_ptr().cast_mut(), // the kernel only reads it
        };
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// Sees every packet of every interface from now on.
    pub(crate) fn listen(&self) -> io::Result<()> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
        address.sll_protocol = EVERY_PROTOCOL.to_be();
        // SAFETY: the address is a live sockaddr_ll of the length that is given.
        let result = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                (&raw const address).cast(),
                length::<libc::sockaddr_ll>()?,
            )
        };
        checked(result)
    }

    /// An option with a plain C value.
    pub(crate) fn set<T>(&self, level: i32, option: i32, value: &T) -> io::Result<()> {
        // SAFETY: the value lives and is as long as is said; the kernel only reads it.
        let result = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                option,
                (&raw const *value).cast(),
                length::<T>()?,
            )
        };
        checked(result)
    }

    /// Packets that passed the filter since this was last asked, and how many of them found no room
    /// (`PACKET_STATISTICS`, `struct tpacket_stats_v3`).
    pub(crate) fn take_statistics(&self) -> io::Result<Statistics> {
        let mut numbers = [0_u32; 3];
        let mut length = length::<[u32; 3]>()?;
        // SAFETY: there is room for as much as is said; both pointers are to live locals.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut numbers).cast(),
                &raw mut length,
            )
        };
        checked(result)?;
        Ok(Statistics {
            packets: numbers[0],
            dropped: numbers[1],
        })
    }

    /// The next packet, for a socket without a ring: its length in the buffer, and the index of the
    /// interface that it crossed.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, u32)> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut from_length = length::<libc::sockaddr_ll>()?;
        // SAFETY: there is room for as much as is said in both places; all pointers are to live
        // locals or to the caller's buffer.
        let received = unsafe {
            libc::recvfrom(
                self.fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                (&raw mut from).cast(),
                &raw mut from_length,
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        Ok((received, from.sll_ifindex.cast_unsigned()))
    }
}

/// What a packet socket has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// All that passed the filter, those that were dropped included.
    pub(crate) packets: u32,
    pub(crate) dropped: u32,
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn length<T>() -> io::Result<libc::socklen_t> {
    libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)
}

fn checked(result: i32) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
