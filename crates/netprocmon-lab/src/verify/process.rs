//! A process of a snapshot against what its generator says it moved.

use netprocmon::{Counters, Pid, Snapshot};

use crate::generate::Account;
use crate::peer::share::Mover;
use crate::report::{Check, Tolerance};

/// More processes than this are summed up in one line each for names and bytes.
const SHOWN: usize = 8;

/// Owner, name, payload and, where they follow from the calls, wire bytes of each process.
pub(super) fn checks(snapshot: &Snapshot, accounts: &[Account]) -> Vec<Check> {
    let each: Vec<_> = accounts.iter().map(|a| process(snapshot, a)).collect();
    if accounts.len() <= SHOWN {
        return each.into_iter().flatten().collect();
    }
    let right = |checks: &&Vec<Check>| checks.iter().all(|check| check.passed);
    let mut checks = vec![Check::number(
        "processes named and exact",
        accounts.len() as u64,
        Some(each.iter().filter(right).count() as u64),
        Tolerance::Exact,
    )];
    // The first few that are wrong, in full.
    let wrong = each.into_iter().flatten().filter(|check| !check.passed);
    checks.extend(wrong.take(SHOWN));
    checks
}

/// Payload alone, of the processes in the monitor's namespace that used TCP: for the source that
/// tells nothing else.
pub(super) fn payload(snapshot: &Snapshot, movers: &[&Mover]) -> Vec<Check> {
    let accounts = movers.iter().map(|mover| &mover.account);
    accounts
        .filter(|account| account.wire.is_none() && account.sent + account.recv > 0)
        .flat_map(|account| {
            let usage = snapshot.process(Pid(account.pid));
            let ours = usage.map_or(Counters::UNKNOWN, |usage| usage.counters);
            let of = |what: &str| format!("{} ({}) {what}", account.name, account.pid);
            [
                Check::number(
                    of("payload sent"),
                    account.sent,
                    ours.payload_sent,
                    Tolerance::Exact,
                ),
                Check::number(
                    of("payload recv"),
                    account.recv,
                    ours.payload_recv,
                    Tolerance::Exact,
                ),
            ]
        })
        .collect()
}

fn process(snapshot: &Snapshot, account: &Account) -> Vec<Check> {
    let usage = snapshot.process(Pid(account.pid));
    let ours = usage.map_or(Counters::UNKNOWN, |usage| usage.counters);
    let idle = account.sent == 0 && account.recv == 0;
    if usage.is_none() && idle {
        return Vec::new(); // it moved nothing itself and is not listed: right
    }
    let of = |what: &str| format!("{} ({}) {what}", account.name.escape_debug(), account.pid);
    let name = usage.map(|usage| usage.process.name.to_string());
    let mut checks = vec![Check::same(of("name"), Some(&account.name), name.as_ref())];
    let exactly = |what: &str, truth, ours| Check::number(of(what), truth, ours, Tolerance::Exact);
    checks.push(exactly("payload sent", account.sent, ours.payload_sent));
    checks.push(exactly("payload recv", account.recv, ours.payload_recv));
    if let Some(usage) = usage {
        let by_interface = usage.interfaces.iter().map(|i| &i.counters);
        let by_protocol = usage.protocols.iter().map(|p| &p.counters);
        for (what, sum) in [
            (
                "bytes, sum of its interfaces",
                by_interface.sum::<Counters>(),
            ),
            ("bytes, sum of its protocols", by_protocol.sum::<Counters>()),
        ] {
            let whole = ours.bytes_total().unwrap_or_default();
            checks.push(exactly(what, whole, sum.bytes_total()));
        }
    }
    if account.wire.is_none() {
        // Of a stream only this is known: the packets that carried it, and their headers, went to
        // whoever moved it.
        for (what, payload, bytes) in [
            ("bytes sent, for its payload", account.sent, ours.bytes_sent),
            ("bytes recv, for its payload", account.recv, ours.bytes_recv),
        ] {
            checks.push(Check::at_least(of(what), payload, bytes));
        }
    }
    if let Some(connections) = usage.and_then(|usage| usage.connections.as_ref()) {
        let sum: Counters = connections.iter().map(|one| one.counters).sum();
        for (what, whole, sum) in [
            ("bytes sent", ours.bytes_sent, sum.bytes_sent),
            ("bytes recv", ours.bytes_recv, sum.bytes_recv),
            ("packets sent", ours.packets_sent, sum.packets_sent),
            ("packets recv", ours.packets_recv, sum.packets_recv),
            ("payload sent", ours.payload_sent, sum.payload_sent),
            ("payload recv", ours.payload_recv, sum.payload_recv),
            (
                "retransmitted packets",
                ours.retransmitted_packets,
                sum.retransmitted_packets,
            ),
        ] {
            let what = format!("{what}, sum of its connections");
            checks.push(exactly(&what, whole.unwrap_or_default(), sum));
        }
    }
    if let Some(wire) = account.wire {
        checks.push(exactly("bytes sent", wire.bytes_sent, ours.bytes_sent));
        checks.push(exactly("bytes recv", wire.bytes_recv, ours.bytes_recv));
        checks.push(exactly(
            "packets sent",
            wire.packets_sent,
            ours.packets_sent,
        ));
        checks.push(exactly(
            "packets recv",
            wire.packets_recv,
            ours.packets_recv,
        ));
    }
    checks
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;
    use netprocmon::{
        CountingBasis, Delta, DeviceCounters, InterfaceId, InterfaceReading, IpVersion, Ledger,
        LinkHeader, NetnsId, Observation, Owner, Process, ProcessId, Protocol, Retention,
        SourceKind, TrafficKey,
    };

    use super::*;

    pub(in crate::verify) const LEFT0: InterfaceId = InterfaceId {
        netns: NetnsId::new(1),
        index: 2,
    };

    /// One process, `client` with pid 7, that sent 4,000 bytes in five packets of 5,000.
    pub(in crate::verify) fn snapshot() -> Snapshot {
        let mut ledger = Ledger::new(SourceKind::Ebpf, Retention::Keep, false);
        let id = ProcessId {
            pid: Pid(7),
            start_boottime: 1,
        };
        let process = Arc::new(Process::new(id, "client"));
        ledger.observe(Observation::Process(process));
        let key = TrafficKey {
            owner: Owner::Process(id),
            interface: LEFT0,
            protocol: Protocol::UDP,
            ip_version: IpVersion::V4,
        };
        let delta = Delta {
            bytes_sent: 5000,
            packets_sent: 5,
            payload_sent: Some(4000),
            payload_recv: Some(0),
            ..Delta::default()
        };
        ledger.observe(Observation::Traffic(key, delta));
        let reading = InterfaceReading {
            id: LEFT0,
            name: "left0".into(),
            device: Some(DeviceCounters {
                bytes_sent: 5000,
                packets_sent: 5,
                ..DeviceCounters::default()
            }),
            link_header: LinkHeader::default(),
            basis: CountingBasis::default(),
        };
        let second = Duration::from_secs(1);
        ledger.snapshot(Timestamp::UNIX_EPOCH, second, &[reading], &[].into())
    }

    fn account() -> Account {
        Account {
            pid: 7,
            name: "client".to_owned(),
            sent: 4000,
            recv: 0,
            wire: None,
        }
    }

    fn wrong(account: Account) -> Vec<String> {
        let checks = checks(&snapshot(), &[account]);
        let wrong = checks.into_iter().filter(|check| !check.passed);
        wrong.map(|check| check.what).collect()
    }

    #[test]
    fn a_right_process_passes() {
        assert_eq!(wrong(account()), [""; 0]);
    }

    #[test]
    fn one_byte_of_payload_is_missed() {
        let one_more = Account {
            sent: 4001,
            ..account()
        };
        assert_eq!(wrong(one_more), ["client (7) payload sent"]);
    }

    #[test]
    fn payload_of_a_stream_without_its_packets_is_missed() {
        let mut snapshot = snapshot();
        for process in &mut snapshot.processes {
            Arc::make_mut(process).counters.bytes_sent = Some(3999);
        }
        let wrong = checks(&snapshot, &[account()]);
        let wrong: Vec<_> = wrong.into_iter().filter(|check| !check.passed).collect();
        assert!(
            wrong
                .iter()
                .any(|check| check.what.ends_with("bytes sent, for its payload"))
        );
    }

    #[test]
    fn another_name_or_another_pid_is_wrong() {
        let renamed = Account {
            name: "server".to_owned(),
            ..account()
        };
        assert_eq!(wrong(renamed), ["server (7) name"]);
        let unknown = Account {
            pid: 8,
            ..account()
        };
        assert!(wrong(unknown).contains(&"client (8) payload sent".to_owned()));
    }

    #[test]
    fn one_wrong_process_among_many_is_shown() {
        let mut many = vec![account(); 100];
        many[50].sent = 1;
        let checks = checks(&snapshot(), &many);
        let wrong: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
        assert_eq!(wrong.len(), 2);
        assert_eq!(wrong[0].ours, "99");
        assert_eq!(wrong[1].what, "client (7) payload sent");
    }
}
