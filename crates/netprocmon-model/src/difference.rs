//! What happened between two snapshots of one monitor.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{
    ConnectionId, ConnectionUsage, Counters, InterfaceSummary, ProcessId, ProcessUsage, Rates,
    Snapshot,
};

impl Snapshot {
    /// What was counted since `earlier`, another snapshot of the same monitor with the same
    /// selection: every counter less what it was then, `elapsed` the time between the two, rates
    /// over that time.
    ///
    /// It has the rows of this snapshot, also those that moved nothing. What has left the list
    /// since `earlier` is in `totals` alone.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let elapsed = self.elapsed.saturating_sub(earlier.elapsed);
        let seconds = elapsed.as_secs_f64();
        let processes: BTreeMap<ProcessId, _> = earlier
            .processes
            .iter()
            .map(|usage| (usage.process.id, usage))
            .collect();
        let rows = self.processes.iter().map(|usage| {
            let before = processes.get(&usage.process.id);
            Arc::new(of_process(usage, before.map(|before| &***before), seconds))
        });
        let mut since = Self {
            elapsed,
            totals: self.totals.since(&earlier.totals),
            processes: rows.collect(),
            lost_events: self.lost_events.saturating_sub(earlier.lost_events),
            ..self.clone()
        };
        for one in &mut since.unattributed {
            let before = self.unattributed_then(one, earlier);
            one.counters = one.counters.since(&before);
        }
        for one in &mut since.interfaces {
            let before = earlier.interfaces.iter().find(|other| other.id == one.id);
            if let Some(before) = before {
                *one = of_interface(one, before);
            }
        }
        since
    }
}

fn less(now: Counters, before: Option<Counters>) -> Counters {
    before.map_or(now, |before| now.since(&before))
}

fn of_process(now: &ProcessUsage, before: Option<&ProcessUsage>, seconds: f64) -> ProcessUsage {
    let mut since = now.clone();
    if let Some(before) = before {
        since.counters = now.counters.since(&before.counters);
        for one in &mut since.interfaces {
            let same = before.interfaces.iter().find(|other| other.id == one.id);
            one.counters = less(one.counters, same.map(|same| same.counters));
        }
        for one in &mut since.protocols {
            let same = before
                .protocols
                .iter()
                .find(|other| (other.protocol, other.ip_version) == (one.protocol, one.ip_version));
            one.counters = less(one.counters, same.map(|same| same.counters));
        }
        if let (Some(connections), Some(before)) = (&mut since.connections, &before.connections) {
            let before: BTreeMap<ConnectionId, &ConnectionUsage> =
                before.iter().map(|one| (one.id, &**one)).collect();
            for one in connections {
                if let Some(before) = before.get(&one.id) {
                    let counters = one.counters.since(&before.counters);
                    Arc::make_mut(one).counters = counters;
                }
            }
        }
    }
    since.rates = Rates::over(&since.counters, seconds);
    since
}

fn of_interface(now: &InterfaceSummary, before: &InterfaceSummary) -> InterfaceSummary {
    let device = now.device.zip(before.device);
    InterfaceSummary::new(
        now.name.clone(),
        now.id,
        now.counted.since(&before.counted),
        device.map(|(now, before)| now.since(before)),
        now.link_header,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::{
        Delta, DeviceCounters, InterfaceId, InterfaceReading, IpVersion, Ledger, LinkHeader,
        NetnsId, Observation, Owner, Pid, Process, Protocol, Retention, SourceKind, TrafficKey,
    };

    const LO: InterfaceId = InterfaceId {
        netns: NetnsId::new(1),
        index: 1,
    };

    fn id(pid: u32) -> ProcessId {
        ProcessId {
            pid: Pid(pid),
            start_boottime: 1,
        }
    }

    fn sends(ledger: &mut Ledger, pid: u32, bytes: u64) {
        ledger.observe(Observation::Process(Arc::new(Process::new(id(pid), "x"))));
        let key = TrafficKey {
            owner: Owner::Process(id(pid)),
            interface: LO,
            protocol: Protocol::TCP,
            ip_version: IpVersion::V4,
        };
        let delta = Delta {
            bytes_sent: i64::try_from(bytes).unwrap(),
            ..Delta::default()
        };
        ledger.observe(Observation::Traffic(key, delta));
    }

    fn look(ledger: &mut Ledger, seconds: u64, device_bytes: u64, packets: u64) -> Snapshot {
        let reading = InterfaceReading {
            id: LO,
            name: "lo".into(),
            device: Some(DeviceCounters {
                bytes_sent: device_bytes,
                packets_sent: packets,
                ..DeviceCounters::default()
            }),
            link_header: LinkHeader { sent: 14, recv: 14 },
            basis: crate::CountingBasis::default(),
        };
        let elapsed = Duration::from_secs(seconds);
        ledger.snapshot(Timestamp::UNIX_EPOCH, elapsed, &[reading], &[].into())
    }

    #[test]
    fn every_counter_less_what_it_was_and_rates_over_the_time_between() {
        let mut ledger = Ledger::new(SourceKind::Ebpf, Retention::Keep, false);
        sends(&mut ledger, 7, 1000);
        let first = look(&mut ledger, 10, 1014, 1);
        sends(&mut ledger, 7, 300);
        sends(&mut ledger, 8, 40);
        let second = look(&mut ledger, 12, 1014 + 368, 3);

        let since = second.since(&first);
        assert_eq!(since.elapsed, Duration::from_secs(2));
        assert_eq!(since.totals.bytes_sent, Some(340));
        let process = |pid| since.process(Pid(pid)).unwrap();
        assert_eq!(process(7).counters.bytes_sent, Some(300));
        assert_eq!(process(7).rates.sent, Some(150.0));
        assert_eq!(process(7).interfaces[0].counters.bytes_sent, Some(300));
        assert_eq!(process(7).protocols[0].counters.bytes_sent, Some(300));
        assert_eq!(process(8).counters.bytes_sent, Some(40));
        // 368 bytes in two packets of 14 bytes of link header each.
        assert_eq!(since.interfaces[0].explained_sent, Some(1.0));
        assert_eq!(since.interfaces[0].device.unwrap().packets_sent, 2);

        let nothing = second.since(&second);
        assert!(nothing.totals.is_zero());
        assert_eq!(nothing.processes.len(), 2);
        assert_eq!(nothing.processes[0].rates.sent, None);
    }
}
