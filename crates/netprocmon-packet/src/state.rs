//! The state of a TCP connection as its packets tell it (RFC 9293, section 3.3.2): the flags are
//! seen from both sides, so it is known without asking, but for what was lost.

use netprocmon_model::{ConnectionState, Direction};

use crate::flow::Way;
use crate::parse::TcpFlags;

/// What the packets have said so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpState {
    pub(crate) state: ConnectionState,
    /// Who opened it; `None` for one whose beginning was not seen.
    pub(crate) direction: Option<Direction>,
}

impl Default for TcpState {
    fn default() -> Self {
        Self {
            state: ConnectionState::Established,
            direction: None,
        }
    }
}

impl TcpState {
    /// Whether a packet begins a new connection, though there was one with the same ends.
    pub(crate) fn begins_anew(self, flags: TcpFlags) -> bool {
        flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::ACK) && self.is_over()
    }

    /// Whether no more than stray packets can follow.
    pub(crate) fn is_over(self) -> bool {
        matches!(
            self.state,
            ConnectionState::Closed | ConnectionState::TimeWait
        )
    }

    /// Takes the flags of the next packet in.
    pub(crate) fn see(&mut self, way: Way, flags: TcpFlags) {
        use ConnectionState as S;
        let (syn, ack) = (flags.has(TcpFlags::SYN), flags.has(TcpFlags::ACK));
        if flags.has(TcpFlags::RST) {
            self.state = S::Closed;
            return;
        }
        if syn {
            let opened_here = (way == Way::Sent) != ack;
            self.direction = Some(if opened_here {
                Direction::Out
            } else {
                Direction::In
            });
            self.state = match (opened_here, ack) {
                (true, true) => S::Established,
                (true, false) => S::SynSent,
                (false, _) => S::SynReceived,
            };
            return;
        }
        if self.state == S::SynReceived && ack && way == Way::Recv {
            self.state = S::Established;
        }
        self.state = match (self.state, way, flags.has(TcpFlags::FIN)) {
            (S::Established | S::SynReceived, Way::Sent, true) => S::FinWait1,
            (S::Established | S::SynReceived, Way::Recv, true) => S::CloseWait,
            (S::CloseWait, Way::Sent, true) => S::LastAck,
            (S::FinWait1 | S::FinWait2, Way::Recv, true) => S::TimeWait,
            (S::FinWait1, Way::Recv, false) if ack => S::FinWait2,
            (S::LastAck, Way::Recv, false) if ack => S::Closed,
            (state, ..) => state,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: TcpFlags = TcpFlags::SYN;
    const ACK: TcpFlags = TcpFlags::ACK;
    const SYN_ACK: TcpFlags = TcpFlags(0x12);
    const FIN_ACK: TcpFlags = TcpFlags(0x11);

    #[test]
    fn from_the_first_packet_to_the_last_on_either_side() {
        use ConnectionState as S;
        let client = [
            (Way::Sent, SYN, S::SynSent),
            (Way::Recv, SYN_ACK, S::Established),
            (Way::Sent, ACK, S::Established),
            (Way::Sent, FIN_ACK, S::FinWait1),
            (Way::Recv, ACK, S::FinWait2),
            (Way::Recv, FIN_ACK, S::TimeWait),
        ];
        let server = [
            (Way::Recv, SYN, S::SynReceived),
            (Way::Sent, SYN_ACK, S::SynReceived),
            (Way::Recv, ACK, S::Established),
            (Way::Recv, FIN_ACK, S::CloseWait),
            (Way::Sent, ACK, S::CloseWait),
            (Way::Sent, FIN_ACK, S::LastAck),
            (Way::Recv, ACK, S::Closed),
        ];
        for (packets, direction) in [(&client[..], Direction::Out), (&server[..], Direction::In)] {
            let mut tcp = TcpState::default();
            for (way, flags, state) in packets {
                tcp.see(*way, *flags);
                assert_eq!((tcp.state, tcp.direction), (*state, Some(direction)));
            }
            assert!(tcp.begins_anew(SYN) && !tcp.begins_anew(ACK));
        }
    }
}
