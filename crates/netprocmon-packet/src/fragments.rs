//! Later fragments of a packet have no ports: they are charged to the flow of the first.
//!
//! A small table whose newest entries push out older ones; what overtakes its first fragment, or
//! comes when that was pushed out, is charged to nobody.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::flow::{FlowKey, Way};

/// Datagrams that arrive in parts at the same moment.
const PLACES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Fragments {
    places: Vec<Option<(Part, FlowKey)>>,
    hasher: RandomState,
}

/// What all parts of a packet have in common: their key without ports, and the identification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    pub(crate) key: FlowKey,
    pub(crate) way: Way,
    pub(crate) identification: u32,
}

impl Default for Fragments {
    fn default() -> Self {
        Self {
            places: vec![None; PLACES],
            hasher: RandomState::default(),
        }
    }
}

impl Fragments {
    pub(crate) fn remember(&mut self, part: Part, flow: FlowKey) {
        let place = self.place(&part);
        if let Some(place) = self.places.get_mut(place) {
            *place = Some((part, flow));
        }
    }

    pub(crate) fn flow(&self, part: &Part) -> Option<FlowKey> {
        let (found, flow) = self.places.get(self.place(part))?.as_ref()?;
        (found == part).then_some(*flow)
    }

    fn place(&self, part: &Part) -> usize {
        usize::try_from(self.hasher.hash_one(part)).unwrap_or_default() % PLACES
    }
}
