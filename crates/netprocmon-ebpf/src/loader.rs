//! Loads the committed object, sizes its maps, and attaches each program on its own.
//!
//! Needs `CAP_BPF`, `CAP_PERFMON` and `CAP_NET_ADMIN` (or root), BTF, and the root of cgroup v2, which is
//! mounted privately where nobody has mounted it. Everything is held by descriptors: when the
//! process ends, however it ends, the kernel takes all of it down.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::{panic, thread};

use aya::programs::{Iter, Program, ProgramError, ProgramFd};
use aya::{Btf, BtfError, Ebpf, EbpfLoader};
use netprocmon_host::cgroup;
use netprocmon_model::Degradation;

use crate::capacity::Sizes;
use crate::error::{EbpfError, EbpfErrorKind, os_error};
use crate::hooks::{HOOKS, Hook, Place, Purpose, Unknown, Without};
use crate::skipped::{self, Skipped};
use crate::source::Options;

mod program;
mod variant;

use program::Offered;
use variant::Variant;

/// What `cargo xtask bpf` makes of `bpf/netprocmon.bpf.c`.
pub(crate) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/netprocmon.bpf.o"));

/// Programs in the kernel, hooks in place.
pub(crate) struct Attached {
    pub(crate) ebpf: Ebpf,
    pub(crate) cgroup_root: OwnedFd,
    pub(crate) degradations: Vec<Degradation>,
    /// Numbers that a refused hook would have told.
    pub(crate) unknown: Vec<Unknown>,
}

/// Loads and attaches everything but the iterator, which [`prime`] runs.
/// Hooks named in `options.refuse` are treated as if the kernel refused them.
pub(crate) fn attach(sizes: Sizes, options: &Options) -> Result<Attached, EbpfError> {
    raise_memlock_limit();
    let (mut cgroup_root, hidden_root) = open_cgroup_root()?;
    let again = options.run_again || skipped::by_this_kernel();
    let wanted = |hook: &&Hook| match hook.purpose {
        Purpose::Count => true,
        Purpose::Connections => options.connections,
        Purpose::Names => options.names,
        Purpose::CountAlone => !options.names,
        Purpose::Again => again,
    };
    let hooks: Vec<_> = HOOKS.iter().filter(wanted).collect();
    let mut variant = Variant::full();
    loop {
        let (mut ebpf, btf) = load_object_and_types(sizes, options, variant, again)?;
        let offered = program::load_all(&mut ebpf, &btf, &hooks);
        let mut attached = Attached {
            ebpf,
            cgroup_root,
            degradations: hidden_root
                .clone()
                .into_iter()
                .chain(variant.degradations())
                .collect(),
            unknown: Vec::new(),
        };
        match attached.place(&hooks, offered, (&btf, options.refuse), variant)? {
            Some(less) => {
                variant = less;
                cgroup_root = attached.cgroup_root;
            }
            None => return Ok(attached),
        }
    }
}

impl Attached {
    /// Attaches what has been loaded, in the order of the hooks. `Some` is what to try instead,
    /// when a program was refused that the kernel may take with less in it.
    fn place(
        &mut self,
        hooks: &[&'static Hook],
        mut offered: Vec<Offered>,
        (btf, refuse): (&Btf, &[&str]),
        variant: Variant,
    ) -> Result<Option<Variant>, EbpfError> {
        for hook in hooks {
            let Err(error) = self.put(hook, &mut offered, refuse) else {
                continue;
            };
            let stand_ins: Vec<_> = hook.stand_ins().iter().collect();
            let mut loaded = program::load_all(&mut self.ebpf, btf, &stand_ins);
            let refusals = stand_ins.iter().filter_map(|stand_in| {
                let refusal = self.put(stand_in, &mut loaded, refuse).err()?;
                Some((*stand_in, refusal))
            });
            let mut refusals: Vec<_> = refusals.collect();
            if refusals.len() == stand_ins.len() {
                refusals = vec![(hook, error)]; // there was nothing, or it was no help
            }
            if refusals.is_empty() {
                continue;
            }
            if let Some(less) = variant.after_refusal(hook.program) {
                return Ok(Some(less));
            }
            for (hook, error) in refusals {
                if let Some(degradation) = refused(hook, error)? {
                    self.degradations.push(degradation);
                    self.unknown.extend(hook.unknown);
                }
            }
        }
        Ok(None)
    }

    /// Attaches one program of those that were offered, unless it is to be treated as refused.
    fn put(
        &mut self,
        hook: &Hook,
        offered: &mut Vec<Offered>,
        refuse: &[&str],
    ) -> Result<(), ProgramError> {
        let at = offered
            .iter()
            .position(|(of, _)| of.program == hook.program);
        match at {
            Some(at) if !refuse.contains(&hook.program) => offered.swap_remove(at).1?,
            _ => return Err(ProgramError::UnexpectedProgramType),
        }
        program::attach(&mut self.ebpf, hook, self.cgroup_root.as_fd())
    }
}

/// The programs that the kernel skips where they were interrupted, each with those that are run after
/// it.
pub(crate) fn skippable(ebpf: &Ebpf) -> Skipped {
    let program = |name| match ebpf.program(name)? {
        Program::BtfTracePoint(program) => program.fd().ok(),
        Program::FExit(program) => program.fd().ok(),
        _ => None,
    };
    let again = |hook: &Hook| {
        let same = Place::Again(hook.program);
        let others = HOOKS.iter().filter(move |other| other.place == same);
        others.filter_map(|other| program(other.program))
    };
    let first = HOOKS
        .iter()
        .flat_map(|hook| [hook].into_iter().chain(hook.stand_ins()));
    let first = first.filter(|hook| !matches!(hook.place, Place::Again(_)));
    let alike = |hook: &'static Hook| program(hook.program).into_iter().chain(again(hook));
    Skipped::of(first.map(|hook| alike(hook).map(ProgramFd::as_fd)))
}

/// Runs the iterator over open files: claims the sockets that are open. `Ok(false)` where the
/// kernel has no such iterator.
pub(crate) fn prime(ebpf: &mut Ebpf) -> Result<bool, EbpfError> {
    let iter = ebpf.program_mut("prime");
    let iter = iter.and_then(|program| program::as_kind::<Iter>(program).ok());
    let Some(iter) = iter.filter(|iter| iter.fd().is_ok()) else {
        return Ok(false);
    };
    let failed = |error| EbpfError::from_source("walk the open sockets", error);
    let link = iter
        .attach()
        .and_then(|id| iter.take_link(id))
        .map_err(failed)?;
    let mut walk = link
        .into_file()
        .map_err(|error| EbpfError::from_source("walk the open sockets", error))?;
    // It prints nothing; reading it to its end is what makes it walk.
    io::copy(&mut walk.by_ref(), &mut io::sink())
        .map_err(|error| EbpfError::from_source("walk the open sockets", error))?;
    Ok(true)
}

/// The tables, and the kernel's type information for the hooks. The loader parses that for itself and
/// lends it to nobody: ours is parsed meanwhile, on another processor.
fn load_object_and_types(
    sizes: Sizes,
    options: &Options,
    variant: Variant,
    again: bool,
) -> Result<(Ebpf, Btf), EbpfError> {
    let (ebpf, types) = thread::scope(|scope| {
        let types = scope.spawn(Btf::from_sys_fs);
        let ebpf = load_object(sizes, options, variant, again);
        (ebpf, types.join())
    });
    let types = types.unwrap_or_else(|panic| panic::resume_unwind(panic));
    // First, for without them the loader speaks of something else.
    let types = types.map_err(|error| {
        EbpfError::from_source("read the kernel's type information, /sys/kernel/btf/vmlinux", error)
            .with_remedy("run a kernel built with CONFIG_DEBUG_INFO_BTF=y; those of the current distributions are")
    })?;
    Ok((ebpf?, types))
}

fn load_object(
    sizes: Sizes,
    options: &Options,
    variant: Variant,
    again: bool,
) -> Result<Ebpf, EbpfError> {
    let connections = sizes.connections;
    EbpfLoader::new()
        .allow_unsupported_maps() // by aya, which has no type for a task's storage: only programs use it
        .override_global("stripe_shift", &sizes.stripe_shift, true)
        .override_global("own_stripes", &u8::from(sizes.own_stripes), true)
        .override_global("max_slots", &sizes.slots, true)
        .override_global("max_connections", &connections, true)
        .override_global("track_connections", &u8::from(options.connections), true)
        .override_global("run_again", &u8::from(again), true)
        .override_global("learn_names", &u8::from(options.names), true)
        .override_global("has_netns_cookie", &u8::from(variant.netns_cookie), true)
        .override_global("has_multipath", &u8::from(variant.multipath), true)
        .override_global("calls_are_seen", &u8::from(variant.calls_seen), true)
        .override_global("can_read_memory", &u8::from(variant.memory), true)
        .override_global(
            "retransmit_tells_error",
            &u8::from(variant.retransmit_error),
            true,
        )
        .map_max_entries("slot_index", sizes.slots)
        .map_max_entries("slot_records", sizes.slots)
        .map_max_entries("slot_counters", sizes.slots << sizes.stripe_shift)
        .map_max_entries("free_slots", sizes.slots)
        .map_max_entries("connections", connections)
        .map_max_entries("free_connections", connections)
        .map_max_entries("peers", connections)
        .map_max_entries("processes", sizes.processes)
        .map_max_entries("trees", sizes.processes)
        .map_max_entries("events", sizes.ring_bytes)
        .map_max_entries("messages", sizes.message_bytes)
        .load(OBJECT)
        .map_err(|error| {
            let is_unknown_there = os_error(&error) == Some(libc::EINVAL);
            let error = EbpfError::from_source("create the kernel tables", error);
            if is_unknown_there {
                error.with_remedy("run Linux 5.11 or later")
            } else {
                error
            }
        })
}

/// What is said of a refusal; `None` where there is nothing to miss.
fn refused(hook: &Hook, error: ProgramError) -> Result<Option<Degradation>, EbpfError> {
    let is_there = !matches!(
        error,
        ProgramError::Btf(BtfError::UnknownBtfTypeName { .. })
    );
    let operation = format!("attach {} to the kernel", hook.program);
    let error = EbpfError::from_source(operation, error);
    match hook.without {
        Without::LoseIfThere(_) if !is_there => Ok(None),
        Without::Lose(lost) | Without::Use(_, lost) | Without::LoseIfThere(lost)
            if error.kind() == EbpfErrorKind::Unsupported =>
        {
            Ok(Some(hook.degradation(lost, &root_cause(&error))))
        }
        _ => Err(error),
    }
}

/// The last cause, its first line: a verifier's log is not for the terminal.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect()
}

/// The root of cgroup v2, and what to say when it is not the host's.
fn open_cgroup_root() -> Result<(OwnedFd, Option<Degradation>), EbpfError> {
    let Some(path) = cgroup::mount_point() else {
        return cgroup::mount_privately()
            .map(|fd| (fd, None))
            .map_err(|error| {
                EbpfError::from_source("mount cgroup v2", error)
                    .with_remedy("mount it: sudo mount -t cgroup2 none /sys/fs/cgroup/unified")
            });
    };
    let root = File::open(&path)
        .map_err(|error| EbpfError::from_source(format!("open {}", path.display()), error))?;
    let hidden = (!cgroup::is_real_root(&path)).then(|| {
        Degradation::new(
            "cgroup_namespace",
            "this is a container's own cgroup: only its processes are counted",
        )
        .with_remedy("start the container with --cgroupns=host --pid=host")
    });
    Ok((root.into(), hidden))
}

/// Before 5.11 maps count against `RLIMIT_MEMLOCK`. Where it cannot be raised it may not matter.
fn raise_memlock_limit() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    let _ = setrlimit(Resource::Memlock, unlimited);
}
