//! Answers over TCP: messages one after the other, each behind its length (RFC 7766 §8), in pieces
//! as the packets came.

use std::collections::{HashMap, VecDeque};

use super::Ends;

/// Conversations that are in the middle of a message; the oldest gives way.
const MOST: usize = 64;
/// Two bytes of length, and as much as they can say.
const LONGEST: usize = 2 + 0xffff;

#[derive(Debug, Default)]
pub(super) struct Streams {
    open: HashMap<Ends, Stream>,
    order: VecDeque<Ends>,
}

#[derive(Debug)]
struct Stream {
    /// The sequence number that comes next.
    next: u32,
    waiting: Vec<u8>,
    /// Something is missing: where the next message begins cannot be known any more.
    broken: bool,
}

impl Streams {
    /// The next piece of a stream. Calls `whole` with each message that is complete.
    pub(super) fn take(
        &mut self,
        ends: Ends,
        sequence: u32,
        bytes: &[u8],
        whole: impl FnMut(&[u8]),
    ) {
        if !self.open.contains_key(&ends) {
            self.make_room();
            self.order.push_back(ends);
        }
        let begin = || Stream::at(sequence);
        let stream = self.open.entry(ends).or_insert_with(begin);
        stream.take(sequence, bytes, whole);
    }

    fn make_room(&mut self) {
        while self.order.len() >= MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.open.remove(&oldest);
            }
        }
    }
}

impl Stream {
    fn at(next: u32) -> Self {
        Self {
            next,
            waiting: Vec::new(),
            broken: false,
        }
    }

    fn take(&mut self, sequence: u32, bytes: &[u8], mut whole: impl FnMut(&[u8])) {
        // The same two ends again, for another connection: its numbers are far away.
        let behind = self.next.wrapping_sub(sequence);
        let ahead = sequence.wrapping_sub(self.next);
        if behind.min(ahead) as usize > LONGEST {
            *self = Self::at(sequence);
        } else if ahead != 0 && ahead < behind {
            self.broken = true;
        }
        if self.broken {
            return;
        }
        // What came before comes again when it was sent again.
        let known = self.next.wrapping_sub(sequence) as usize;
        let Some(fresh) = bytes.get(known..) else {
            return;
        };
        self.waiting.extend_from_slice(fresh);
        self.next = sequence.wrapping_add(u32::try_from(bytes.len()).unwrap_or_default());
        let mut at = 0;
        while let Some([high, low]) = self.waiting.get(at..at + 2) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(message) = self.waiting.get(at + 2..at + 2 + length) else {
                break;
            };
            whole(message);
            at += 2 + length;
        }
        self.waiting.drain(..at);
        self.broken |= self.waiting.len() > LONGEST;
    }
}
