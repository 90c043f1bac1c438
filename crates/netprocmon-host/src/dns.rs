//! What remotes are called, from the answers of the domain name system that this host itself has
//! received: no look-up is ever sent.
//!
//! A source hands over the messages of port 53 as they pass ([`Heard`]); a [`Listener`] takes the
//! answers among them that this host has asked for, and tells which address goes by which name: the
//! name that was asked for, through whatever chain of aliases the answer takes (RFC 1034 §3.6.2).
//!
//! Everything in a message is hostile. An answer over UDP counts only when its question went the
//! other way between the same two ends with the same number before (RFC 5452 §9); a message that
//! cannot be read teaches nothing. What is remembered is bounded. Blind to encrypted transports
//! (RFC 7858, RFC 8484), and to what was answered before the source started.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use netprocmon_model::{NetnsId, Protocol};

mod answer;
mod questions;
mod streams;

use questions::Questions;
use streams::Streams;

/// A message of port 53, or for TCP a piece of a stream of them, as it left or reached a socket.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The namespace of the socket.
    pub netns: NetnsId,
    /// UDP or TCP; others teach nothing.
    pub protocol: Protocol,
    /// Whether this host sent it.
    pub sent: bool,
    /// This end.
    pub local: SocketAddr,
    /// The name server.
    pub remote: SocketAddr,
    /// TCP: the sequence number of the first byte.
    pub sequence: u32,
    /// The transport's payload. A datagram may be cut at its end.
    pub bytes: &'a [u8],
}

/// The two ends of a conversation with a name server, in their namespace.
type Ends = (NetnsId, SocketAddr, SocketAddr);

/// Remembers what was asked, and reads what is answered.
#[derive(Debug, Default)]
pub struct Listener {
    questions: Questions,
    streams: Streams,
}

impl Listener {
    /// Takes in one message. Calls `learned` with each address that it names.
    pub fn hear(&mut self, heard: &Heard<'_>, mut learned: impl FnMut(IpAddr, &Arc<str>)) {
        let ends = (heard.netns, heard.local, heard.remote);
        let mut tell = |answer: answer::Answer| {
            for address in answer.addresses {
                learned(address, &answer.name);
            }
        };
        match heard.protocol {
            Protocol::UDP if heard.sent => self.questions.ask(ends, heard.bytes),
            Protocol::UDP => {
                if self.questions.were_asked(ends, heard.bytes)
                    && let Some(answer) = answer::read(heard.bytes)
                {
                    tell(answer);
                }
            }
            Protocol::TCP if !heard.sent => {
                self.streams
                    .take(ends, heard.sequence, heard.bytes, |message| {
                        if let Some(answer) = answer::read(message) {
                            tell(answer);
                        }
                    });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
