//! Doors for fuzzing: packets, and the blocks of the ring that they come in. Only with the feature
//! `fuzzing`, for netprocmon-fuzz, and no part of the interface.

use crate::parse::{Link, parse};
use crate::ring::frames;
use crate::wire::{Moved, Passed};

/// One packet: the first byte says what it begins with, the next two how long its segments are.
pub fn packet(bytes: &[u8]) {
    let [kind, low, high, bytes @ ..] = bytes else {
        return;
    };
    let segment = u16::from_le_bytes([*low, *high]);
    let link = match kind % 6 {
        0 => Link::Ethernet,
        1 => Link::Cooked,
        2 => Link::Cooked2,
        3 => Link::Ip,
        4 => Link::Network(0x0800),
        _ => Link::Network(0x86dd),
    };
    count(bytes, link, segment, u32::MAX);
}

/// A block of the ring, and every packet in it.
pub fn block(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    // A record may name the next one at its own place: as many as the block says, and no more.
    for frame in frames(bytes, how & 1 != 0).take(1000) {
        assert!(frame.bytes.len() <= bytes.len());
        count(
            frame.bytes,
            Link::Network(frame.protocol),
            frame.segment,
            frame.length,
        );
    }
}

fn count(bytes: &[u8], link: Link, segment: u16, length: u32) {
    let Ok(packet) = parse(bytes, link) else {
        return;
    };
    let moved = Moved::of(&packet, Passed { length, segment });
    assert!(moved.packets >= 1 && moved.merged_packets < moved.packets);
    assert!(moved.merged_bytes <= moved.bytes);
}
