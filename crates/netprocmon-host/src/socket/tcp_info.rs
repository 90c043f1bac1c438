//! What TCP counted for one socket (`struct tcp_info`, tcp(7), `<linux/tcp.h>`). Pure.
//!
//! The structure grows with the kernel. A shorter one than ours lacks its last fields, which are
//! `None`; of a longer one the rest is ignored.

use netprocmon_model::ConnectionState;

use crate::netlink::{u32_at, u64_at};

/// Cumulative since the socket was made. Bytes are payload, without headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Bytes that the peer acknowledged; one more for our SYN, if we opened, and one for our FIN
    /// (4.1).
    pub bytes_acked: Option<u64>,
    /// Bytes received in order, each once; one more for the peer's FIN (4.1).
    pub bytes_received: Option<u64>,
    /// Segments sent, retransmissions and bare ACKs too (4.2). 32 bits: it wraps.
    pub segs_out: Option<u32>,
    /// Segments received (4.2). 32 bits: it wraps.
    pub segs_in: Option<u32>,
    /// Bytes that calls have queued and that were never on the wire; one more for a FIN among them
    /// (4.6).
    pub notsent_bytes: Option<u32>,
    /// Segments received with payload (4.6). 32 bits: it wraps.
    pub data_segs_in: Option<u32>,
    /// Segments sent with payload (4.6). 32 bits: it wraps.
    pub data_segs_out: Option<u32>,
    /// Bytes sent, retransmissions too (4.19).
    pub bytes_sent: Option<u64>,
    /// Bytes sent again (4.19).
    pub bytes_retrans: Option<u64>,
    /// Segments sent again, of all kinds.
    pub total_retrans: Option<u32>,
    /// Smoothed round trip time in microseconds.
    pub rtt: Option<u32>,
}

impl TcpInfo {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self {
            rtt: u32_at(bytes, 68),
            total_retrans: u32_at(bytes, 100),
            bytes_acked: u64_at(bytes, 120),
            bytes_received: u64_at(bytes, 128),
            segs_out: u32_at(bytes, 136),
            segs_in: u32_at(bytes, 140),
            notsent_bytes: u32_at(bytes, 144),
            data_segs_in: u32_at(bytes, 152),
            data_segs_out: u32_at(bytes, 156),
            bytes_sent: u64_at(bytes, 200),
            bytes_retrans: u64_at(bytes, 208),
        }
    }

    /// Payload that went out, each byte once: `bytes_sent` less `bytes_retrans`. What is queued
    /// and was never on the wire is not in it.
    #[must_use]
    pub fn payload_sent(&self) -> Option<u64> {
        Some(self.bytes_sent?.saturating_sub(self.bytes_retrans?))
    }

    /// What send calls moved: [`payload_sent`](Self::payload_sent) and what still waits in the queue.
    #[must_use]
    pub fn accepted(&self, state: ConnectionState) -> Option<u64> {
        let queued = u64::from(self.notsent_bytes?);
        // Our FIN is the last in the queue, and counts there.
        let fin = matches!(
            state,
            ConnectionState::FinWait1 | ConnectionState::LastAck | ConnectionState::Closing
        );
        let queued = queued.saturating_sub(fin.into());
        Some(self.payload_sent()? + queued)
    }

    /// What receive calls took, of which `unread` bytes still wait ([`Socket::unread`]). The peer's
    /// FIN waits like a byte until it is read, too, and is none.
    ///
    /// [`Socket::unread`]: super::Socket::unread
    #[must_use]
    pub fn taken(&self, fin: PeersFin, unread: u32) -> Option<u64> {
        let taken = self.bytes_received?.saturating_sub(unread.into());
        let fin_was_read = fin == PeersFin::Came && unread == 0;
        Some(taken.saturating_sub(fin_was_read.into()))
    }

    /// Payload that came in, each byte once: `bytes_received` without the peer's FIN, which the
    /// kernel counts as a byte (`tcp_rcv_nxt_update` by `end_seq`).
    ///
    /// Whether the FIN came is told by the state. [`ConnectionState::Closed`] does not tell, so a
    /// socket that is closed but still open as a file has one byte too many after a full close.
    #[must_use]
    pub fn payload_recv(&self, state: ConnectionState) -> Option<u64> {
        let fin = PeersFin::in_state(state) == PeersFin::Came;
        Some(self.bytes_received?.saturating_sub(fin.into()))
    }
}

/// Whether the peer has closed its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeersFin {
    /// Not that we know.
    Open,
    /// It has.
    Came,
}

impl PeersFin {
    /// As far as the state tells.
    #[must_use]
    pub fn in_state(state: ConnectionState) -> Self {
        match state {
            ConnectionState::CloseWait
            | ConnectionState::LastAck
            | ConnectionState::Closing
            | ConnectionState::TimeWait => Self::Came,
            _ => Self::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_structure_lacks_its_end() {
        let bytes: Vec<u8> = (0..=255).collect();
        let info = TcpInfo::parse(&bytes[..192]); // before 4.18
        assert_eq!(
            info.bytes_acked,
            Some(u64::from_ne_bytes([120, 121, 122, 123, 124, 125, 126, 127]))
        );
        assert_eq!(info.bytes_sent, None);
        assert_eq!(info.payload_sent(), None);
        assert_eq!(TcpInfo::parse(&bytes[..104]).bytes_received, None);
        assert_eq!(TcpInfo::parse(&[]), TcpInfo::default());
        assert!(TcpInfo::parse(&bytes).bytes_retrans.is_some());
    }

    #[test]
    fn calls_have_moved_what_is_queued_and_not_what_is_unread() {
        let info = TcpInfo {
            bytes_sent: Some(100),
            bytes_retrans: Some(10),
            notsent_bytes: Some(6),
            bytes_received: Some(51), // with the FIN
            ..TcpInfo::default()
        };
        assert_eq!(info.accepted(ConnectionState::Established), Some(96));
        assert_eq!(info.accepted(ConnectionState::FinWait1), Some(95));
        assert_eq!(info.taken(PeersFin::Came, 0), Some(50));
        assert_eq!(info.taken(PeersFin::Came, 1), Some(50)); // only the FIN waits
        assert_eq!(info.taken(PeersFin::Came, 21), Some(30));
        assert_eq!(info.taken(PeersFin::Open, 21), Some(30));
        assert_eq!(
            TcpInfo::default().accepted(ConnectionState::Established),
            None
        );
    }

    #[test]
    fn the_fin_is_no_payload() {
        let info = TcpInfo {
            bytes_received: Some(11),
            ..TcpInfo::default()
        };
        assert_eq!(info.payload_recv(ConnectionState::Established), Some(11));
        assert_eq!(info.payload_recv(ConnectionState::CloseWait), Some(10));
        let none = TcpInfo {
            bytes_received: Some(0),
            ..TcpInfo::default()
        };
        assert_eq!(none.payload_recv(ConnectionState::CloseWait), Some(0));
    }
}
