//! The netlink wire format and two kinds of conversation: ask for a dump and take all of it, or ask
//! for one thing.
//!
//! Used for rtnetlink (links, addresses) and `sock_diag` (sockets). The crates for these two make
//! typed structures of every attribute there is and fail a whole message for one of unexpected
//! length; here a few attributes of three messages are needed, and an entry that is not understood
//! is to be skipped. See netlink(7) and `Documentation/userspace-api/netlink/intro.rst`.
//!
//! The parsers are pure; only [`Netlink`] talks to the kernel.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// `struct nlmsghdr`: length u32, type u16, flags u16, sequence u32, port u32.
const HEADER: usize = 16;
/// `struct nlattr`: length u16, type u16.
const ATTRIBUTE_HEADER: usize = 4;
/// The kernel makes its parts of a dump as large as the reader's buffer, up to 32 KiB.
const BUFFER: usize = 64 * 1024;
/// An answer about one thing, with every attribute that is given unasked, is a few hundred bytes.
const ANSWER: usize = 4096;
/// How often a dump that changed while it was made is asked for again.
const ATTEMPTS: u32 = 4;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;
/// The two top bits of an attribute's type are flags (`NLA_TYPE_MASK`).
const TYPE_MASK: u16 = 0x3fff;

/// A netlink socket of one protocol in the namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// For rtnetlink(7).
    pub(crate) fn route() -> io::Result<Self> {
        Self::open(None) // NETLINK_ROUTE is protocol 0
    }

    /// For `sock_diag(7)`.
    pub(crate) fn sock_diag() -> io::Result<Self> {
        Self::open(Some(rustix::net::netlink::SOCK_DIAG))
    }

    fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Asks for one thing and gives the answer's body to `parse`; `None` where the kernel says that
    /// there is no such thing (`ENOENT`).
    pub(crate) fn ask<T>(
        &mut self,
        kind: u16,
        body: &[u8],
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        self.sequence += 1;
        let message = request(kind, NLM_F_REQUEST, self.sequence, body);
        retry_on_intr(|| send(&self.socket, &message, SendFlags::empty()))?;
        let mut buffer = [0; ANSWER];
        loop {
            let received = retry_on_intr(|| recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC))?;
            let (_, length) = received;
            let datagram = buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            let mut answers = messages(datagram).filter(|one| one.sequence == self.sequence);
            let Some(answer) = answers.next() else {
                continue; // what a question that failed before this one left behind
            };
            if answer.kind != NLMSG_ERROR {
                return Ok(parse(answer.body));
            }
            return match status(answer.body) {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
                Err(error) => Err(error),
                Ok(()) => Ok(None),
            };
        }
    }

    /// Asks for a dump and gives each message's body to `parse`; entries for which it says `None`
    /// are left out. A dump that the kernel marks as torn by a change is asked for again; the last
    /// attempt is taken as it is, since a host may never be quiet.
    pub(crate) fn dump<T>(
        &mut self,
        kind: u16,
        body: &[u8],
        mut parse: impl FnMut(&[u8]) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut attempt = 1;
        loop {
            let (entries, torn) = self.dump_once(kind, body, &mut parse)?;
            if !torn || attempt == ATTEMPTS {
                return Ok(entries);
            }
            attempt += 1;
        }
    }

    fn dump_once<T>(
        &mut self,
        kind: u16,
        body: &[u8],
        mut parse: impl FnMut(&[u8]) -> Option<T>,
    ) -> io::Result<(Vec<T>, bool)> {
        self.sequence += 1;
        let message = request(kind, NLM_F_REQUEST | NLM_F_DUMP, self.sequence, body);
        retry_on_intr(|| send(&self.socket, &message, SendFlags::empty()))?;
        let mut buffer = vec![0; BUFFER];
        let (mut entries, mut torn) = (Vec::new(), false);
        loop {
            let received = retry_on_intr(|| recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC))?;
            let (_, length) = received;
            let datagram = buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            for message in messages(datagram) {
                if message.sequence != self.sequence {
                    continue; // what a dump that failed before this one left behind
                }
                torn |= message.flags & NLM_F_DUMP_INTR != 0;
                match message.kind {
                    NLMSG_ERROR | NLMSG_DONE => {
                        status(message.body)?;
                        return Ok((entries, torn));
                    }
                    _ => entries.extend(parse(message.body)),
                }
            }
        }
    }
}

/// The number in front of `NLMSG_ERROR` and `NLMSG_DONE`: 0 or a negated `errno(3)`.
pub(crate) fn status(body: &[u8]) -> io::Result<()> {
    match i32_at(body, 0) {
        Some(code) if code < 0 => Err(io::Error::from_raw_os_error(code.wrapping_neg())),
        _ => Ok(()),
    }
}

/// A message to the kernel.
pub(crate) fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) body: &'a [u8],
}

/// The messages of a datagram, up to the first that is cut short.
pub(crate) fn messages(mut rest: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(rest, 0)? as usize;
        let message = Message {
            kind: u16_at(rest, 4)?,
            flags: u16_at(rest, 6)?,
            sequence: u32_at(rest, 8)?,
            body: rest.get(HEADER..length)?,
        };
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes after a message's fixed part, as type and value, up to the first that is cut
/// short. Values are not aligned: read numbers with the functions below.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & TYPE_MASK;
        let value = rest.get(ATTRIBUTE_HEADER..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A text attribute, up to its NUL.
pub(crate) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0);
    let text = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// `N` bytes from `offset` on; `None` past the end.
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    let end = offset.checked_add(N)?;
    bytes.get(offset..end)?.try_into().ok()
}

/// A number of the machine's own byte order at a byte offset; `None` past the end.
macro_rules! number_at {
    ($($name:ident: $number:ty),*) => {$(
        pub(crate) fn $name(bytes: &[u8], offset: usize) -> Option<$number> {
            bytes_at(bytes, offset).map(<$number>::from_ne_bytes)
        }
    )*};
}
number_at!(u16_at: u16, u32_at: u32, u64_at: u64, i32_at: i32);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_read_back_as_a_message() {
        let mut datagram = request(20, 5, 7, b"abc");
        datagram.push(0); // padding between messages
        datagram.extend(request(21, 0, 8, b""));
        let found: Vec<_> = messages(&datagram).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].kind, found[0].flags, found[0].sequence),
            (20, 5, 7)
        );
        assert_eq!(found[0].body, b"abc");
        assert_eq!(found[1].kind, 21);
    }

    #[test]
    fn flags_of_an_attribute_are_no_part_of_its_type() {
        let mut bytes = vec![5, 0];
        bytes.extend((0x8012_u16).to_ne_bytes());
        bytes.extend([9, 0, 0, 0]);
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), [(18, &[9][..])]);
    }

    #[test]
    fn a_length_below_the_header_ends_it() {
        assert_eq!(attributes(&[0, 0, 1, 0, 9, 9]).count(), 0);
        assert_eq!(messages(&[0; 64]).count(), 0);
    }

    #[test]
    fn the_kernel_refuses_with_its_number() {
        let mut netlink = Netlink::route().unwrap();
        let error = netlink.dump(0x7ff, &[0; 16], |_| Some(())).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        // and the socket is still good for a question
        assert!(!netlink.dump(18, &[0; 16], |_| Some(())).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&noise) {
                prop_assert!(attributes(message.body).count() <= noise.len());
            }
            prop_assert!(attributes(&noise).count() <= noise.len());
        }
    }
}
