//! Scenarios: observations in, snapshot out.

use super::*;
use crate::{Delta, IpVersion, NetnsId, Pid, Protocol, Reason};

const ETH0: InterfaceId = InterfaceId {
    netns: NetnsId::new(1),
    index: 2,
};
const LO: InterfaceId = InterfaceId {
    netns: NetnsId::new(1),
    index: 1,
};

fn id(pid: u32) -> ProcessId {
    ProcessId {
        pid: Pid(pid),
        start_boottime: 10,
    }
}

fn sent(owner: Owner, interface: InterfaceId, bytes: i64) -> Observation {
    let key = TrafficKey {
        owner,
        interface,
        protocol: Protocol::TCP,
        ip_version: IpVersion::V4,
    };
    let delta = Delta {
        bytes_sent: bytes,
        packets_sent: 1,
        payload_sent: Some(0),
        payload_recv: Some(0),
        retransmitted_bytes: Some(0),
        retransmitted_packets: Some(0),
        ..Delta::default()
    };
    Observation::Traffic(key, delta)
}

fn ledger(retention: Retention) -> Ledger {
    let mut ledger = Ledger::new(SourceKind::Ebpf, retention, false);
    ledger.observe(Observation::Process(Arc::new(Process::new(id(5), "curl"))));
    ledger
}

fn look(ledger: &mut Ledger, second: u64) -> Snapshot {
    let none: Arc<[Degradation]> = [].into();
    ledger.snapshot(
        Timestamp::UNIX_EPOCH,
        Duration::from_secs(second),
        &[],
        &none,
    )
}

#[test]
fn bytes_rates_and_totals() {
    let mut ledger = ledger(Retention::Keep);
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 100));
    let first = look(&mut ledger, 1);
    assert_eq!(first.totals.bytes_sent, Some(100));
    assert_eq!(first.processes[0].rates.sent, Some(100.0));
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 50));
    let second = look(&mut ledger, 3);
    assert_eq!(second.processes[0].counters.bytes_sent, Some(150));
    assert_eq!(second.processes[0].rates.sent, Some(25.0));
    assert_eq!(look(&mut ledger, 4).processes[0].rates.sent, Some(0.0));
}

#[test]
fn an_idle_process_is_not_built_again() {
    let mut ledger = ledger(Retention::Keep);
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 100));
    look(&mut ledger, 1);
    let idle = look(&mut ledger, 2);
    let still_idle = look(&mut ledger, 3);
    assert!(Arc::ptr_eq(&idle.processes[0], &still_idle.processes[0]));
}

#[test]
fn bytes_that_move_to_another_owner_leave_the_sum_alone() {
    let mut ledger = ledger(Retention::Keep);
    ledger.observe(sent(Owner::Unattributed(Reason::BeforeStart), ETH0, 100));
    ledger.observe(sent(Owner::Unattributed(Reason::BeforeStart), ETH0, -100));
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 100));
    let snapshot = look(&mut ledger, 1);
    assert_eq!(snapshot.totals.bytes_sent, Some(100));
    assert_eq!(snapshot.interfaces[0].counted.bytes_sent, Some(100));
}

#[test]
fn an_ended_process_is_shown_once_and_stays_in_the_totals() {
    let mut ledger = ledger(Retention::ShowOnce);
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 100));
    ledger.observe(Observation::Exited {
        process: id(5),
        at: Timestamp::UNIX_EPOCH,
    });
    assert!(look(&mut ledger, 1).processes[0].process.exited.is_some());
    // The kernel still sends what was queued.
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 7));
    let later = look(&mut ledger, 2);
    assert_eq!(later.processes.len(), 0);
    assert_eq!(later.totals.bytes_sent, Some(107));
    ledger.observe(Observation::Settled(id(5)));
    look(&mut ledger, 3);
    assert!(ledger.process(id(5)).is_none());
    assert_eq!(look(&mut ledger, 4).totals.bytes_sent, Some(107));
}

#[test]
fn a_run_keeps_what_ended() {
    let mut ledger = ledger(Retention::Keep);
    ledger.observe(Observation::Exited {
        process: id(5),
        at: Timestamp::UNIX_EPOCH,
    });
    ledger.observe(Observation::Settled(id(5)));
    look(&mut ledger, 1);
    assert_eq!(look(&mut ledger, 2).processes.len(), 1);
}

#[test]
fn a_run_does_not_keep_what_it_was_not_asked_for() {
    let mut ledger = ledger(Retention::Keep);
    ledger.select(Selection {
        pids: [Pid(6)].into(),
        ..Selection::default()
    });
    ledger.observe(Observation::Exited {
        process: id(5),
        at: Timestamp::UNIX_EPOCH,
    });
    ledger.observe(Observation::Settled(id(5)));
    assert!(look(&mut ledger, 1).processes.is_empty());
    assert!(ledger.process(id(5)).is_none());
}

#[test]
fn a_restriction_to_an_interface_recounts_the_process() {
    let mut ledger = ledger(Retention::Keep);
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 100));
    ledger.observe(sent(Owner::Process(id(5)), LO, 1));
    ledger.select(Selection {
        interfaces: Some([LO].into()),
        ..Selection::default()
    });
    let snapshot = look(&mut ledger, 1);
    assert_eq!(snapshot.totals.bytes_sent, Some(1));
    assert_eq!(snapshot.processes[0].interfaces.len(), 1);
    assert_eq!(
        snapshot.processes[0].protocols[0].counters.bytes_sent,
        Some(1)
    );
    assert_eq!(ledger.traffic_of(id(5)).len(), 2);
}

#[test]
fn explained_is_on_the_devices_own_basis() {
    let mut ledger = ledger(Retention::Keep);
    let key = TrafficKey {
        owner: Owner::Process(id(5)),
        interface: ETH0,
        protocol: Protocol::TCP,
        ip_version: IpVersion::V4,
    };
    // One buffer of 2 900 bytes that becomes two packets of 1 500 and 1 452 on the wire.
    let merged = crate::Merged {
        bytes_sent: 52,
        packets_sent: 1,
        ..Default::default()
    };
    let delta = Delta {
        bytes_sent: 2952,
        packets_sent: 2,
        merged,
        ..Delta::default()
    };
    ledger.observe(Observation::Traffic(key, delta));
    let reading = InterfaceReading {
        id: ETH0,
        name: "eth0".into(),
        device: Some(crate::DeviceCounters {
            bytes_sent: 2914,
            packets_sent: 1,
            ..Default::default()
        }),
        link_header: crate::LinkHeader { sent: 14, recv: 14 },
        basis: crate::CountingBasis {
            sent: crate::WholeBuffers::ALL,
            ..Default::default()
        },
    };
    let none: Arc<[Degradation]> = [].into();
    let snapshot = ledger.snapshot(
        Timestamp::UNIX_EPOCH,
        Duration::from_secs(1),
        &[reading],
        &none,
    );
    let interface = &snapshot.interfaces[0];
    assert_eq!(interface.counted.bytes_sent, Some(2900));
    assert_eq!(interface.counted.packets_sent, Some(1));
    assert_eq!(interface.explained_sent, Some(1.0));
    assert_eq!(snapshot.processes[0].counters.bytes_sent, Some(2952));
    assert_eq!(
        snapshot.processes[0].interfaces[0].name.as_deref(),
        Some("eth0")
    );
}

fn reading(id: InterfaceId, device: Option<crate::DeviceCounters>) -> crate::InterfaceReading {
    crate::InterfaceReading {
        id,
        name: "eth0".into(),
        device,
        link_header: crate::LinkHeader::default(),
        basis: crate::CountingBasis::default(),
    }
}

fn look_with(ledger: &mut Ledger, second: u64, readings: &[crate::InterfaceReading]) -> Snapshot {
    let none: Arc<[Degradation]> = [].into();
    let elapsed = Duration::from_secs(second);
    ledger.snapshot(Timestamp::UNIX_EPOCH, elapsed, readings, &none)
}

const NOBODY: Owner = Owner::Unattributed(Reason::Kernel);

#[test]
fn an_interface_that_is_gone_is_shown_once_and_its_bytes_stay() {
    let mut ledger = ledger(Retention::ShowOnce);
    ledger.observe(sent(NOBODY, ETH0, 100));
    ledger.observe(sent(NOBODY, LO, 10));
    let there = Some(crate::DeviceCounters::default());
    look_with(&mut ledger, 1, &[reading(ETH0, there), reading(LO, there)]);
    let gone = look_with(&mut ledger, 2, &[reading(ETH0, None)]);
    assert_eq!((gone.interfaces.len(), gone.unattributed.len()), (2, 2));
    assert!(!ledger.counts_on(ETH0) && ledger.counts_on(LO));
    let after = look_with(&mut ledger, 3, &[]);
    assert_eq!(after.interfaces.len(), 1);
    let row = |snapshot: &Snapshot, interface| {
        let mut rows = snapshot.unattributed.iter();
        rows.find(|row| row.interface == interface).unwrap().clone()
    };
    let nowhere = row(&after, InterfaceId::default());
    assert_eq!(nowhere.counters.bytes_sent, Some(100));
    // Nothing has moved, whatever it is called now.
    assert_eq!(after.unattributed_then(&nowhere, &gone), nowhere.counters);
    assert_eq!(
        row(&after.since(&gone), InterfaceId::default()).counters,
        Counters::ZERO
    );
    // Bytes that turn out to be somebody's are taken from where they are.
    ledger.observe(sent(NOBODY, ETH0, -40));
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 40));
    let later = look_with(&mut ledger, 4, &[]);
    assert_eq!(
        row(&later, InterfaceId::default()).counters.bytes_sent,
        Some(60)
    );
    assert_eq!(later.totals.bytes_sent, Some(40));
}

#[test]
fn an_interface_that_is_gone_stays_with_the_processes_that_used_it() {
    let mut ledger = ledger(Retention::ShowOnce);
    ledger.observe(sent(Owner::Process(id(5)), ETH0, 100));
    look_with(&mut ledger, 1, &[reading(ETH0, None)]);
    let with_process = look_with(&mut ledger, 2, &[]);
    assert_eq!(with_process.interfaces.len(), 1);
    assert_eq!(
        with_process.processes[0].interfaces[0].name.as_deref(),
        Some("eth0")
    );
    ledger.observe(Observation::Exited {
        process: id(5),
        at: Timestamp::UNIX_EPOCH,
    });
    ledger.observe(Observation::Settled(id(5)));
    look_with(&mut ledger, 3, &[]);
    let last = look_with(&mut ledger, 4, &[]);
    assert_eq!(
        (last.interfaces.len(), last.totals.bytes_sent),
        (0, Some(100))
    );
}

#[test]
fn an_interface_out_of_reach_is_let_go_when_it_is_quiet() {
    let mut ledger = ledger(Retention::ShowOnce);
    ledger.observe(sent(NOBODY, ETH0, 100));
    look(&mut ledger, 1);
    look(&mut ledger, 30);
    assert!(ledger.counts_on(ETH0));
    look(&mut ledger, 61);
    assert!(!ledger.counts_on(ETH0));
}

#[test]
fn a_report_keeps_what_is_gone() {
    let mut ledger = ledger(Retention::Keep);
    ledger.observe(sent(NOBODY, ETH0, 100));
    look_with(&mut ledger, 1, &[reading(ETH0, None)]);
    assert_eq!(look(&mut ledger, 100).interfaces.len(), 1);
}

/// The source may read what was taken away before it reads what was there.
#[test]
fn what_is_taken_back_before_it_was_told_is_made_good_in_its_own_place() {
    let mut ledger = ledger(Retention::ShowOnce);
    ledger.observe(sent(NOBODY, ETH0, -100));
    look(&mut ledger, 1);
    ledger.observe(sent(NOBODY, ETH0, 130));
    let rows = look(&mut ledger, 2).unattributed;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.interface, row.counters.bytes_sent))
        .collect();
    assert_eq!(rows, [(ETH0, Some(30))]);
}
