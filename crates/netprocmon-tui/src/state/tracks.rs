//! What moved in each interval, for charts, sparklines and the rates of connections.
//!
//! Only what moved is written down: an idle process or connection costs nothing, however many there
//! are. Snapshots share the records of what did not change, so a look at a pointer tells.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use netprocmon::beside::beside;
use netprocmon::{
    ConnectionId, ConnectionUsage, Counters, InterfaceId, ProcessId, ProcessUsage, Rates, Snapshot,
};

use crate::chart::Way;
use crate::settings::Flow;

/// Intervals that are kept of processes, interfaces and the whole.
pub(crate) const KEPT: u32 = 600;
/// Of connections, of which there may be many thousands.
const KEPT_OF_CONNECTIONS: u32 = 120;
/// Intervals after which what nobody will ask for is thrown away.
const SWEEP: u32 = 64;

/// Bytes a second in one interval; what is not known counts as nothing here.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    wire: [f32; 2],
    payload: [f32; 2],
}

impl Pace {
    fn over(moved: &Counters, seconds: f64) -> Self {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // for a chart
        let rate = |bytes: Option<u64>| {
            if seconds > 0.0 {
                (bytes.unwrap_or(0) as f64 / seconds) as f32
            } else {
                0.0
            }
        };
        Self {
            wire: [rate(moved.bytes_sent), rate(moved.bytes_recv)],
            payload: [rate(moved.payload_sent), rate(moved.payload_recv)],
        }
    }

    pub(crate) fn of(self, flow: Flow, way: Way) -> f64 {
        let both = match flow {
            Flow::Wire => self.wire,
            Flow::Payload => self.payload,
        };
        match way {
            Way::Sent => both[0].into(),
            Way::Recv => both[1].into(),
        }
    }

    pub(crate) fn both(self, flow: Flow) -> f64 {
        self.of(flow, Way::Sent) + self.of(flow, Way::Recv)
    }
}

/// The intervals in which something moved, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Track(VecDeque<(u32, Pace)>);

impl Track {
    fn push(&mut self, tick: u32, pace: Pace, kept: u32) {
        while self.0.front().is_some_and(|(at, _)| at + kept <= tick) {
            self.0.pop_front();
        }
        self.0.push_back((tick, pace));
    }

    /// The `count` intervals up to `tick`, oldest first.
    pub(crate) fn until(&self, tick: u32, count: usize) -> Vec<Pace> {
        let mut paces = vec![Pace::default(); count];
        for (at, pace) in self.0.iter().rev() {
            let Some(back) = tick.checked_sub(*at) else {
                continue;
            };
            let Some(index) = count.checked_sub(back as usize + 1) else {
                break;
            };
            paces[index] = *pace;
        }
        paces
    }

    /// What moved in one interval.
    pub(crate) fn at(&self, tick: u32) -> Pace {
        let mut latest = self.0.iter().rev();
        let found = latest.find(|(at, _)| *at <= tick);
        found
            .filter(|(at, _)| *at == tick)
            .map_or_else(Pace::default, |(_, pace)| *pace)
    }

    /// Intervals since something moved, at `tick`.
    pub(crate) fn quiet_for(&self, tick: u32) -> u32 {
        let latest = self.0.iter().rev().find(|(at, _)| *at <= tick);
        latest.map_or(u32::MAX, |(at, _)| tick - at)
    }

    fn is_over(&self, tick: u32, kept: u32) -> bool {
        self.0.back().is_none_or(|(at, _)| at + kept <= tick)
    }
}

/// The tracks of everything in a series of snapshots.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    tick: u32,
    pub(crate) total: Track,
    processes: HashMap<ProcessId, Track>,
    connections: HashMap<ConnectionId, Track>,
    interfaces: HashMap<InterfaceId, Track>,
}

impl Tracks {
    /// One that counts intervals from `tick` on.
    pub(crate) fn from(tick: u32) -> Self {
        Self {
            tick,
            ..Self::default()
        }
    }

    pub(crate) const fn tick(&self) -> u32 {
        self.tick
    }

    pub(crate) fn process(&self, id: ProcessId) -> Option<&Track> {
        self.processes.get(&id)
    }

    pub(crate) fn connection(&self, id: ConnectionId) -> Option<&Track> {
        self.connections.get(&id)
    }

    pub(crate) fn interface(&self, id: InterfaceId) -> Option<&Track> {
        self.interfaces.get(&id)
    }

    /// Takes the next snapshot in.
    pub(crate) fn take(&mut self, before: Option<&Snapshot>, now: &Snapshot) {
        self.tick += 1;
        // The first comes at once: what moved in its milliseconds is no rate.
        let Some(before) = before else {
            return;
        };
        let seconds = now.elapsed.saturating_sub(before.elapsed).as_secs_f64();
        let totals = before.totals;
        let pace = Pace::over(&now.totals.since(&totals), seconds);
        self.total.push(self.tick, pace, KEPT);
        let id = |usage: &ProcessUsage| usage.process.id;
        beside(&before.processes, &now.processes, id, |one| {
            let Some((before, usage)) = one.news() else {
                return;
            };
            let then = before.map_or(Counters::ZERO, |before| before.counters);
            let moved = usage.counters.since(&then);
            let all = &mut self.processes;
            note(all, id(usage), self.tick, &moved, seconds, KEPT);
            let connections = before.and_then(|before| before.connections.as_deref());
            let then = connections.unwrap_or_default();
            let now = usage.connections.as_deref().unwrap_or_default();
            let id = |one: &ConnectionUsage| one.id;
            beside(then, now, id, |one| {
                let Some((before, one)) = one.news() else {
                    return;
                };
                let then = before.map_or(Counters::ZERO, |before| before.counters);
                let moved = one.counters.since(&then);
                let all = &mut self.connections;
                note(all, one.id, self.tick, &moved, seconds, KEPT_OF_CONNECTIONS);
            });
        });
        for one in &now.interfaces {
            let then = before.interfaces.iter().find(|then| then.id == one.id);
            let then = then.map_or(Counters::ZERO, |then| then.counted);
            let moved = one.counted.since(&then);
            note(
                &mut self.interfaces,
                one.id,
                self.tick,
                &moved,
                seconds,
                KEPT,
            );
        }
        if self.tick.is_multiple_of(SWEEP) {
            let tick = self.tick;
            self.processes.retain(|_, track| !track.is_over(tick, KEPT));
            self.interfaces
                .retain(|_, track| !track.is_over(tick, KEPT));
            self.connections
                .retain(|_, track| !track.is_over(tick, KEPT_OF_CONNECTIONS));
        }
    }
}

fn note<Id: Hash + Eq>(
    tracks: &mut HashMap<Id, Track>,
    id: Id,
    tick: u32,
    moved: &Counters,
    seconds: f64,
    kept: u32,
) {
    if !moved.is_zero() {
        let track = tracks.entry(id).or_default();
        track.push(tick, Pace::over(moved, seconds), kept);
    }
}

/// The rates of a flow where its counters are known.
pub(crate) fn rates(pace: Pace, counters: &Counters, flow: Flow) -> Rates {
    let (sent, recv) = match flow {
        Flow::Wire => (counters.bytes_sent, counters.bytes_recv),
        Flow::Payload => (counters.payload_sent, counters.payload_recv),
    };
    Rates {
        sent: sent.map(|_| pace.of(flow, Way::Sent)),
        recv: recv.map(|_| pace.of(flow, Way::Recv)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(bytes: u64) -> Counters {
        Counters {
            bytes_sent: Some(bytes),
            ..Counters::ZERO
        }
    }

    #[test]
    fn a_track_has_gaps_where_nothing_moved() {
        let mut track = Track::default();
        for tick in [1, 3, 4] {
            track.push(tick, Pace::over(&moved(u64::from(tick) * 10), 1.0), 10);
        }
        let sent = |tick, count| -> Vec<f64> {
            let paces = track.until(tick, count).into_iter();
            paces.map(|pace| pace.of(Flow::Wire, Way::Sent)).collect()
        };
        assert_eq!(sent(4, 5), [0.0, 10.0, 0.0, 30.0, 40.0]);
        assert_eq!(sent(3, 2), [0.0, 30.0]);
        assert_eq!(sent(6, 3), [40.0, 0.0, 0.0]);
        assert_eq!(track.at(2), Pace::default());
        assert!((track.at(4).both(Flow::Wire) - 40.0).abs() < 1e-9);
        assert_eq!((track.quiet_for(6), track.quiet_for(2)), (2, 1));
    }

    #[test]
    fn what_is_older_than_is_kept_goes() {
        let mut track = Track::default();
        for tick in 1..100 {
            track.push(tick, Pace::over(&moved(1), 1.0), 10);
        }
        assert_eq!(track.0.len(), 10);
        assert!(track.is_over(109, 10) && !track.is_over(108, 10));
    }
}
