//! All flows that are known, bounded. Finding the flow of a packet is one look-up by hash; nothing
//! is allocated for a flow that is there already.
//!
//! A flow leaves when it is over or has been quiet for long; a bounded number of them is looked at
//! in each round, so that this costs the same whatever is there. When there is no room for another,
//! that is said, and its bytes are counted under `capacity`.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use netprocmon_model::ConnectionId;

use crate::flow::{Flow, FlowKey};

/// About 25 MB when all are in use.
const MOST: usize = 65_536;

/// A flow's place in the table, for as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowIndex(u32);

#[derive(Debug, Default)]
pub(crate) struct Table {
    index: HashMap<FlowKey, FlowIndex, RandomState>,
    flows: Vec<Option<Flow>>,
    free: Vec<FlowIndex>,
    /// Flows that the ledger has to hear of.
    listed: Vec<FlowIndex>,
    /// Where the next round begins.
    hand: usize,
    connections: u64,
}

impl Table {
    /// The flow with this key, a new one where there is none; `None` where there is no room.
    pub(crate) fn meet(&mut self, key: &FlowKey, now: u64) -> Option<FlowIndex> {
        if let Some(index) = self.index.get(key) {
            return Some(*index);
        }
        let connection = self.next_connection();
        let flow = Flow::new(*key, connection, now);
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.flows.len() < MOST => {
                self.flows.push(None);
                FlowIndex(u32::try_from(self.flows.len() - 1).ok()?)
            }
            None => return None,
        };
        *self.flows.get_mut(index.0 as usize)? = Some(flow);
        self.index.insert(*key, index);
        Some(index)
    }

    pub(crate) fn get(&mut self, index: FlowIndex) -> Option<&mut Flow> {
        self.flows.get_mut(index.0 as usize)?.as_mut()
    }

    /// A number that no connection had before.
    pub(crate) fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    /// Puts a flow on the list of those that the ledger has to hear of.
    pub(crate) fn list(&mut self, index: FlowIndex) {
        if let Some(flow) = self
            .flows
            .get_mut(index.0 as usize)
            .and_then(Option::as_mut)
            && !flow.is_listed
        {
            flow.is_listed = true;
            self.listed.push(index);
        }
    }

    /// Takes the list, to be given back empty with [`Table::give_list_back`].
    pub(crate) fn take_list(&mut self) -> Vec<FlowIndex> {
        std::mem::take(&mut self.listed)
    }

    /// Keeps the memory of the list.
    pub(crate) fn give_list_back(&mut self, mut list: Vec<FlowIndex>) {
        list.clear();
        list.append(&mut self.listed);
        self.listed = list;
    }

    /// The next `number` places, those that were not looked at for the longest time.
    pub(crate) fn next_round(&mut self, number: usize) -> impl Iterator<Item = FlowIndex> + use<> {
        let all = self.flows.len();
        let start = self.hand;
        let number = number.min(all);
        self.hand = if all == 0 { 0 } else { (start + number) % all };
        (0..number).filter_map(move |step| {
            let place = (start + step) % all;
            u32::try_from(place).ok().map(FlowIndex)
        })
    }

    pub(crate) fn remove(&mut self, index: FlowIndex) {
        let place = self.flows.get_mut(index.0 as usize);
        if let Some(flow) = place.and_then(Option::take) {
            self.index.remove(&flow.key);
            self.free.push(index);
        }
    }

    /// Whether new flows will soon find no room.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.index.len() * 4 > MOST * 3
    }

    /// All of them, for what happens seldom.
    pub(crate) fn all(&self) -> impl Iterator<Item = (FlowIndex, &Flow)> {
        let places = (0..).map(FlowIndex).zip(&self.flows);
        places.filter_map(|(index, flow)| Some((index, flow.as_ref()?)))
    }
}
