//! How large the kernel tables are: from the host's memory and processors, or as the user says.
//!
//! A table that is full costs names, never bytes, and says so; so the sizes are generous where the
//! memory costs nothing until it is used and modest where the kernel allocates all of it at once.

/// Table sizes, in rows. `None` is sized from the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Rows of (process, interface, protocol, IP version): 128 bytes each, times up to 8 copies
    /// on a host with many processors.
    pub counters: Option<u32>,
    /// Connections at one time: 192 bytes each, only when connections were asked for.
    pub connections: Option<u32>,
    /// Processes with sockets at one time; memory is taken as they come.
    pub processes: Option<u32>,
}

/// The sizes that the loader uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) slots: u32,
    /// log2 of the copies of each slot's counters.
    pub(crate) stripe_shift: u32,
    /// Whether each processor has a copy of its own.
    pub(crate) own_stripes: bool,
    pub(crate) connections: u32,
    pub(crate) processes: u32,
    pub(crate) ring_bytes: u32,
    pub(crate) message_bytes: u32,
}

const MAX_STRIPE_SHIFT: u32 = 3;
/// The least that a ring can have.
const PAGE: u32 = 4096;
const RESERVED_SLOTS: u32 = 256; // as in maps.h

impl Sizes {
    /// The slots that processes can have; the others are for what nobody owns.
    pub(crate) fn for_processes(self) -> u32 {
        self.slots.saturating_sub(RESERVED_SLOTS + 1)
    }
}

impl Capacity {
    /// `memory_mib` is the host's memory, `cpus` its possible processors.
    pub(crate) fn sizes(
        self,
        memory_mib: u64,
        cpus: u32,
        with_connections: bool,
        with_names: bool,
    ) -> Sizes {
        // 1/1000 of the memory for counters with one copy.
        let by_memory = u32::try_from(memory_mib * 8).unwrap_or(u32::MAX);
        let slots = self.counters.unwrap_or(by_memory.clamp(8192, 65_536));
        let connections = match (with_connections, self.connections) {
            (false, _) => 1,
            (true, Some(rows)) => rows.saturating_add(1), // row 0 is nobody's
            (true, None) => by_memory.clamp(8192, 131_072),
        };
        let stripe_shift = cpus
            .clamp(1, 1 << MAX_STRIPE_SHIFT)
            .next_power_of_two()
            .trailing_zeros();
        Sizes {
            slots: slots.saturating_add(RESERVED_SLOTS + 1),
            stripe_shift,
            own_stripes: cpus <= 1 << stripe_shift,
            connections,
            processes: self
                .processes
                .unwrap_or(by_memory.clamp(8192, 65_536))
                .max(1),
            ring_bytes: 1 << 20,
            message_bytes: if with_names { 1 << 19 } else { PAGE },
        }
    }

    /// The sizes for the host that we run on.
    pub(crate) fn on_this_host(self, with_connections: bool, with_names: bool) -> Sizes {
        let memory_mib = rustix::system::sysinfo().totalram / (1 << 20);
        // Where nobody tells, there may be many: they can share copies, but must know of it.
        let cpus = aya::util::nr_cpus().map_or(u32::MAX, |n| u32::try_from(n).unwrap_or(u32::MAX));
        self.sizes(memory_mib, cpus, with_connections, with_names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_share_copies_where_there_are_more_of_them() {
        for (cpus, expected) in [
            (0, (0, true)),
            (1, (0, true)),
            (2, (1, true)),
            (3, (2, true)),
            (8, (3, true)),
            (9, (3, false)),
            (u32::MAX, (3, false)),
        ] {
            let sizes = Capacity::default().sizes(512, cpus, false, false);
            assert_eq!(
                (sizes.stripe_shift, sizes.own_stripes),
                expected,
                "{cpus} processors"
            );
        }
    }

    #[test]
    fn a_small_host_a_large_host_and_what_was_asked() {
        let small = Capacity::default().sizes(512, 1, false, false);
        assert_eq!(
            (small.slots, small.stripe_shift, small.connections),
            (8192 + 257, 0, 1)
        );
        let large = Capacity::default().sizes(512 * 1024, 192, true, true);
        assert_eq!((large.slots, large.stripe_shift), (65_536 + 257, 3));
        let asked = Capacity {
            counters: Some(10),
            connections: Some(5),
            processes: Some(0),
        };
        let asked = asked.sizes(1024, 2, true, false);
        assert_eq!(
            (asked.slots, asked.connections, asked.processes),
            (267, 6, 1)
        );
    }
}
