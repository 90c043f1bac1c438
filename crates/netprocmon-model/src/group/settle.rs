//! Makes groups that sum to what is above them out of nodes some of which are below zero.
//!
//! What a group is short of is taken from the largest of its siblings, and what a group has lost
//! that way is taken from those inside it.

use super::Group;
use crate::Counters;

/// One of the eight counters.
type Field = fn(&mut Counters) -> &mut Option<u64>;

const FIELDS: [Field; 8] = [
    |counters| &mut counters.bytes_sent,
    |counters| &mut counters.bytes_recv,
    |counters| &mut counters.packets_sent,
    |counters| &mut counters.packets_recv,
    |counters| &mut counters.payload_sent,
    |counters| &mut counters.payload_recv,
    |counters| &mut counters.retransmitted_bytes,
    |counters| &mut counters.retransmitted_packets,
];

/// Settles the groups of one level, which wrapped sum to `total`, and all below them.
pub(super) fn settle(groups: &mut [Group], total: &Counters) {
    for field in FIELDS {
        settle_one(groups, field, total);
    }
    for group in groups {
        let counters = group.counters;
        settle(&mut group.groups, &counters);
    }
}

fn settle_one(groups: &mut [Group], field: Field, total: &Counters) {
    let Some(total) = *field(&mut { *total }) else {
        return;
    };
    let mut sum = 0_u64;
    for group in &mut *groups {
        // Where something is not known, there is nothing to be compared.
        let Some(value) = field(&mut group.counters) else {
            return;
        };
        if value.cast_signed() < 0 {
            *value = 0;
        }
        sum = sum.saturating_add(*value);
    }
    let mut excess = sum.saturating_sub(total);
    while excess > 0 {
        let values = groups
            .iter_mut()
            .filter_map(|group| field(&mut group.counters).as_mut());
        let Some(largest) = values.max().filter(|value| **value > 0) else {
            return;
        };
        let taken = excess.min(*largest);
        *largest -= taken;
        excess -= taken;
    }
}
