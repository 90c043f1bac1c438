//! Ways to open a connection: which protocol, what it carries from its first packet on, and how
//! the server takes it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rustix::net::{accept, acceptfrom, bind, connect, getsockname, listen};

use crate::generate::socket;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Opening {
    Plain,
    /// IPv4 through IPv6 sockets at both ends (`::ffff:192.0.2.1`, RFC 4291 2.5.5.2).
    Mapped,
    /// TCP Fast Open (RFC 7413): the first bytes travel in the SYN.
    Fast,
    /// Multipath TCP, RFC 8684.
    Multipath,
    /// Not TCP at all, but used like it: SCTP, RFC 9260, with one connection a socket.
    Sctp,
    /// The kernel encrypts (`TCP_ULP` `tls`).
    Tls,
}

/// How the server takes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Accept {
    /// accept(2) without an address buffer.
    Unnamed,
    /// With one, which is another way through the kernel.
    Named,
}

/// Bytes that go with the SYN of a fast opening.
const EARLY: usize = 500;
/// `TCPI_OPT_SYN_DATA`, include/uapi/linux/tcp.h.
const SYN_DATA: u8 = 32;
/// include/uapi/linux/mptcp.h.
const SOL_MPTCP: i32 = 284;
const MPTCP_INFO: i32 = 1;
/// Bit 0: for connecting, bit 1: for listening, bits 2 and 9: without a cookie on either side
/// (`Documentation/networking/ip-sysctl.rst`, `tcp_fastopen`).
pub const FAST_OPEN: &str = "519";

impl Opening {
    fn protocol(self) -> i32 {
        match self {
            Self::Multipath => libc::IPPROTO_MPTCP,
            Self::Sctp => libc::IPPROTO_SCTP,
            _ => libc::IPPROTO_TCP,
        }
    }

    /// The address as this opening writes it.
    fn address(self, address: SocketAddr) -> SocketAddr {
        match (self, address) {
            (Self::Mapped, SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => address,
        }
    }

    pub(super) fn listen(self, at: SocketAddr) -> Result<OwnedFd> {
        let at = self.address(at);
        let listener = socket::open(at, libc::SOCK_STREAM, self.protocol())?;
        bind(&listener, &at).context("bind")?;
        if self == Self::Fast {
            let (level, name) = (libc::IPPROTO_TCP, libc::TCP_FASTOPEN);
            socket::set(&listener, level, name, 16).context("allow fast opening")?;
        }
        listen(&listener, 16).context("listen")?;
        Ok(listener)
    }

    /// Connects; gives how many bytes of the stream have been sent in the same call.
    pub(super) fn connect(self, to: SocketAddr) -> Result<(OwnedFd, u64)> {
        let to = self.address(to);
        let stream = socket::open(to, libc::SOCK_STREAM, self.protocol())?;
        let mut early = 0;
        if self == Self::Fast {
            early = rustix::net::sendto(
                &stream,
                &[0x5a; EARLY],
                rustix::net::SendFlags::from_bits_retain(libc::MSG_FASTOPEN.cast_unsigned()),
                &to,
            )
            .context("connect and send at once")? as u64;
        } else {
            connect(&stream, &to).context("connect")?;
        }
        self.established(&stream)?;
        Ok((stream, early))
    }

    /// Makes sure that the connection became what was asked for: the kernel falls back silently.
    pub(super) fn verify(self, stream: &OwnedFd) -> Result<()> {
        match self {
            Self::Fast => {
                // struct tcp_info: the sixth byte is tcpi_options.
                let info: [u8; 8] = socket::get(stream, libc::IPPROTO_TCP, libc::TCP_INFO)?;
                ensure!(info[5] & SYN_DATA != 0, "no data went with the SYN");
            }
            Self::Multipath => {
                // struct mptcp_info: counts in bytes, then, at 8, mptcpi_flags.
                let info: [u8; 12] = socket::get(stream, SOL_MPTCP, MPTCP_INFO)
                    .context("ask for the state of a multipath connection")?;
                ensure!(info[8] & 1 == 0, "it fell back to plain TCP");
            }
            Self::Plain | Self::Mapped | Self::Sctp | Self::Tls => {}
        }
        Ok(())
    }

    /// What is to be done to a connection when it stands, at either end.
    pub(super) fn established(self, stream: &OwnedFd) -> Result<()> {
        if self != Self::Tls {
            return Ok(());
        }
        socket::set_bytes(stream, libc::IPPROTO_TCP, libc::TCP_ULP, b"tls").context("use kTLS")?;
        // struct tls12_crypto_info_aes_gcm_128: version, cipher, iv, key, salt, sequence. Both
        // directions have the same key, which is no secret.
        let mut keys = [0_u8; 40];
        keys[..2].copy_from_slice(&0x0303_u16.to_ne_bytes());
        keys[2..4].copy_from_slice(&51_u16.to_ne_bytes());
        for direction in [libc::TLS_TX, libc::TLS_RX] {
            socket::set_bytes(stream, libc::SOL_TLS, direction, &keys).context("give keys")?;
        }
        Ok(())
    }
}

impl Accept {
    pub(super) fn accept(self, listener: &OwnedFd) -> Result<OwnedFd> {
        match self {
            Self::Unnamed => accept(listener).context("accept"),
            Self::Named => Ok(acceptfrom(listener).context("accept with an address")?.0),
        }
    }
}

pub(super) fn port(socket: &impl AsFd) -> Result<u16> {
    let address = SocketAddr::try_from(getsockname(socket)?).context("no IP address")?;
    Ok(address.port())
}

pub(super) fn no_multipath() -> Option<String> {
    without(libc::IPPROTO_MPTCP, "multipath TCP")
}

pub(super) fn no_sctp() -> Option<String> {
    without(libc::IPPROTO_SCTP, "SCTP")
}

fn without(protocol: i32, what: &str) -> Option<String> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let error = socket::open(any, libc::SOCK_STREAM, protocol).err()?;
    Some(format!("this kernel has no {what}: {error:#}"))
}

/// `ENOTCONN` is what a kernel with kTLS says to a socket that is not connected.
pub(super) fn no_tls() -> Option<String> {
    let try_it = || -> Result<io::Result<()>> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let stream = socket::open(any, libc::SOCK_STREAM, libc::IPPROTO_TCP)?;
        Ok(socket::set_bytes(
            &stream,
            libc::IPPROTO_TCP,
            libc::TCP_ULP,
            b"tls",
        ))
    };
    match try_it() {
        Ok(Ok(())) => None,
        Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOTCONN) => None,
        Ok(Err(error)) => Some(format!("this kernel has no kTLS: {error}")),
        Err(error) => Some(format!("{error:#}")),
    }
}
