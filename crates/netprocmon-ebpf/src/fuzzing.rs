//! Doors for fuzzing: what takes the kernel's records in this crate. Only with the feature `fuzzing`,
//! for netprocmon-fuzz, and no part of the interface.

use netprocmon_host::dns::Listener;

use crate::abi::{Event, MessageRecord};
use crate::messages::heard;

/// Records of the two rings, one after the other: events, or messages of the domain name system.
pub fn records(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    if kind & 1 == 0 {
        for record in bytes.chunks(size_of::<Event>()) {
            let is_whole = record.len() == size_of::<Event>();
            assert_eq!(Event::from_bytes(record).is_some(), is_whole);
        }
        return;
    }
    let mut listener = Listener::default();
    for record in bytes.chunks(size_of::<MessageRecord>()) {
        // The kernel's rings are aligned, which these bytes need not be.
        let mut aligned = vec![0_u64; record.len().div_ceil(8)];
        for (word, bytes) in aligned.iter_mut().zip(record.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_ne_bytes(whole);
        }
        let bytes: Vec<[u8; 8]> = aligned.iter().map(|word| word.to_ne_bytes()).collect();
        let bytes = &bytes.as_flattened()[..record.len()];
        if let Some(record) = MessageRecord::from_bytes(bytes) {
            let heard = heard(record);
            assert!(heard.bytes.len() <= record.bytes.len());
            listener.hear(&heard, |_, name| assert!(!name.is_empty()));
        }
    }
}
