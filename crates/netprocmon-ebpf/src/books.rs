//! Reads the slots: what was counted since the last look, key by key, and takes slots of ended
//! processes, and of nobody, back for others.
//!
//! Reading is plain loads from mapped memory. Taking a slot back goes in three steps, so that no
//! byte is lost: its key leaves the index and its generation is raised, so that sockets which
//! remember it look for another; at a later look, when nobody can still be counting in it, what
//! came in meanwhile is read; only then is it zeroed and free.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError, Queue};
use netprocmon_model::{Delta, Merged};

use crate::abi::{KernelState, ProcessKey, SlotCounters, SlotKey, SlotRecord};
use crate::capacity::Sizes;
use crate::error::{EbpfError, EbpfErrorKind};
use crate::mapped::Mapped;
use crate::rows::FreeRows;

/// The kernel still sends what an ended process left in its queues; orphans live up to a minute.
const QUIET_BEFORE_REUSE: Duration = Duration::from_mins(1);
/// The same when most of the table is in use.
const QUIET_UNDER_PRESSURE: Duration = Duration::from_secs(5);

/// The sum over all stripes of a slot's counters.
type Reading = [u64; 12];

struct Slot {
    row: u32,
    key: SlotKey,
    last: Reading,
    quiet_since: Instant,
    /// Off the index; to be read once more, then free.
    leaving: bool,
}

pub(crate) struct Books {
    records: Mapped<SlotRecord>,
    counters: Mapped<SlotCounters>,
    index: HashMap<MapData, SlotKey, u32>,
    free: Queue<MapData, u32>,
    sizes: Sizes,
    rows: FreeRows,
    slots: Vec<Slot>,
    /// How many slots each process has.
    owned: BTreeMap<ProcessKey, u32>,
    /// Slot 0: a table was full beyond all reserves.
    spill: Slot,
}

impl Books {
    pub(crate) fn new(ebpf: &mut Ebpf, sizes: Sizes) -> Result<Self, EbpfError> {
        let stripes = sizes.slots << sizes.stripe_shift;
        let key = SlotKey {
            reason: REASON_CAPACITY,
            ip_version: 4,
            ..SlotKey::default()
        };
        Ok(Self {
            // SAFETY: sizes and layout are those of bpf/maps.h, as the loader set them.
            records: unsafe { map_array(ebpf, "slot_records", sizes.slots) }?,
            // SAFETY: as above.
            counters: unsafe { map_array(ebpf, "slot_counters", stripes) }?,
            index: typed(ebpf, "slot_index", HashMap::try_from)?,
            free: typed(ebpf, "free_slots", Queue::try_from)?,
            sizes,
            rows: FreeRows::new(),
            slots: Vec::new(),
            owned: BTreeMap::new(),
            spill: Slot::new(0, key),
        })
    }

    /// Calls `moved` with each key that something was counted under since the last call.
    pub(crate) fn read(&mut self, state: &KernelState, mut moved: impl FnMut(&SlotKey, &Delta)) {
        let next = state.next_slot.load(Acquire).min(self.sizes.slots);
        // What cannot be mapped now is read when it can: nothing is lost in the kernel.
        let _ = self.records.map_to(next);
        let _ = self.counters.map_to(next << self.sizes.stripe_shift);
        let (records, slots, owned) = (&self.records, &mut self.slots, &mut self.owned);
        self.rows.take_used(
            next,
            |row| {
                records
                    .get(row)
                    .is_some_and(|record| record.in_use.load(Acquire) != 0)
            },
            |row| {
                let Some(record) = records.get(row) else {
                    return;
                };
                slots.push(Slot::new(row, record.key));
                if let Some(owner) = record.key.owner() {
                    *owned.entry(owner).or_default() += 1;
                }
            },
        );
        let now = Instant::now();
        for slot in slots.iter_mut().chain([&mut self.spill]) {
            let reading = sum(&self.counters, slot.row, self.sizes.stripe_shift);
            if reading != slot.last {
                moved(&slot.key, &difference(&reading, &slot.last));
                slot.last = reading;
                slot.quiet_since = now;
            }
        }
    }

    /// Goes on taking slots back. `ended` says of a process whether it has.
    pub(crate) fn reuse(&mut self, ended: impl Fn(ProcessKey) -> bool) {
        self.free_the_leaving();
        let pressed = self.slots.len() * 4 > self.sizes.for_processes() as usize * 3;
        let quiet = if pressed {
            QUIET_UNDER_PRESSURE
        } else {
            QUIET_BEFORE_REUSE
        };
        for slot in &mut self.slots {
            // One of nobody is found again where its interface is still there.
            let owner = slot.key.owner();
            let is_over = owner.is_none_or(&ended);
            if slot.leaving || slot.quiet_since.elapsed() < quiet || !is_over {
                continue;
            }
            // Already gone is as good.
            let _ = self.index.remove(&slot.key);
            for stripe in stripes(&self.counters, slot.row, self.sizes.stripe_shift) {
                stripe.generation.fetch_add(1, Release);
            }
            slot.leaving = true;
            if let Some(owner) = owner
                && let Some(count) = self.owned.get_mut(&owner)
            {
                *count -= 1;
                if *count == 0 {
                    self.owned.remove(&owner);
                }
            }
        }
    }

    /// Whether anything was ever counted for a process that is not settled yet.
    pub(crate) fn has_slot(&self, owner: ProcessKey) -> bool {
        self.owned.contains_key(&owner)
    }

    /// Slots that left the index before the last [`Books::read`] have now been read to the end.
    fn free_the_leaving(&mut self) {
        let (records, counters, shift) = (&self.records, &self.counters, self.sizes.stripe_shift);
        let (rows, free) = (&mut self.rows, &mut self.free);
        self.slots.retain(|slot| {
            if !slot.leaving {
                return true;
            }
            for stripe in stripes(counters, slot.row, shift) {
                for counter in stripe.all() {
                    counter.store(0, Relaxed);
                }
            }
            if let Some(record) = records.get(slot.row) {
                record.in_use.store(0, Release);
            }
            // It cannot be full: it has a place for every slot.
            if free.push(slot.row, 0).is_ok() {
                rows.give_back(slot.row);
            }
            false
        });
    }
}

pub(crate) const REASON_BEFORE_START: u8 = 2;
pub(crate) const REASON_NO_SOCKET: u8 = 3;
pub(crate) const REASON_CAPACITY: u8 = 5;

impl SlotKey {
    /// The process that pays; `None` for a row with a reason.
    pub(crate) fn owner(&self) -> Option<ProcessKey> {
        (self.tgid != 0).then_some(ProcessKey {
            start: self.start,
            tgid: self.tgid,
            unused: 0,
        })
    }
}

impl Slot {
    fn new(row: u32, key: SlotKey) -> Self {
        Self {
            row,
            key,
            last: [0; 12],
            quiet_since: Instant::now(),
            leaving: false,
        }
    }
}

impl SlotCounters {
    fn all(&self) -> [&std::sync::atomic::AtomicU64; 12] {
        [
            &self.tx_bytes,
            &self.rx_bytes,
            &self.tx_packets,
            &self.rx_packets,
            &self.tx_payload,
            &self.rx_payload,
            &self.retransmitted_bytes,
            &self.retransmitted_packets,
            &self.tx_merged_bytes,
            &self.tx_merged_packets,
            &self.rx_merged_bytes,
            &self.rx_merged_packets,
        ]
    }
}

fn stripes(
    counters: &Mapped<SlotCounters>,
    row: u32,
    shift: u32,
) -> impl Iterator<Item = &SlotCounters> {
    (row << shift..(row + 1) << shift).filter_map(|at| counters.get(at))
}

/// Wraps: bytes that went over to another owner were taken from another stripe than they were
/// added to, and the sum is right.
fn sum(counters: &Mapped<SlotCounters>, row: u32, shift: u32) -> Reading {
    let mut sum = [0_u64; 12];
    for stripe in stripes(counters, row, shift) {
        for (total, counter) in sum.iter_mut().zip(stripe.all()) {
            *total = total.wrapping_add(counter.load(Relaxed));
        }
    }
    sum
}

fn difference(now: &Reading, then: &Reading) -> Delta {
    let by = |at: usize| now[at].wrapping_sub(then[at]).cast_signed();
    Delta {
        bytes_sent: by(0),
        bytes_recv: by(1),
        packets_sent: by(2),
        packets_recv: by(3),
        payload_sent: Some(by(4)),
        payload_recv: Some(by(5)),
        retransmitted_bytes: Some(by(6)),
        retransmitted_packets: Some(by(7)),
        merged: Merged {
            bytes_sent: by(8),
            packets_sent: by(9),
            bytes_recv: by(10),
            packets_recv: by(11),
        },
    }
}

/// Maps a whole array map.
///
/// # Safety
///
/// As [`Mapped::new`].
pub(crate) unsafe fn map_array<T>(
    ebpf: &Ebpf,
    name: &str,
    entries: u32,
) -> Result<Mapped<T>, EbpfError> {
    let failed = |error: io::Error| EbpfError::from_source(format!("map the table {name}"), error);
    let map = ebpf.map(name).ok_or_else(|| missing(name))?;
    let aya::maps::Map::Array(data) = map else {
        return Err(missing(name));
    };
    // SAFETY: the caller's promise.
    unsafe { Mapped::new(data.fd().as_fd(), entries) }.map_err(failed)
}

/// Takes a map out of the object under its type.
pub(crate) fn typed<T>(
    ebpf: &mut Ebpf,
    name: &str,
    convert: impl FnOnce(aya::maps::Map) -> Result<T, MapError>,
) -> Result<T, EbpfError> {
    let map = ebpf.take_map(name).ok_or_else(|| missing(name))?;
    convert(map).map_err(|error| EbpfError::from_source(format!("open the table {name}"), error))
}

fn missing(name: &str) -> EbpfError {
    EbpfError::new(
        EbpfErrorKind::Unsupported,
        format!("find the table {name} in the object"),
    )
}
