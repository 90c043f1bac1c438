//! As much of bpf(2) as the measurement in the kernel takes: an empty program in the same place as
//! one of ours, run times, and switching their collection on. By hand, because a program of two
//! instructions needs no compiler and no loader.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use netprocmon::host;

use super::btf;

// include/uapi/linux/bpf.h
const PROG_LOAD: i64 = 5;
const OBJ_GET_INFO_BY_FD: i64 = 15;
const RAW_TRACEPOINT_OPEN: i64 = 17;
const LINK_CREATE: i64 = 28;
const ENABLE_STATS: i64 = 32;
const PROG_TYPE_CGROUP_SKB: u32 = 8;
const PROG_TYPE_TRACING: u32 = 26;
const TRACE_RAW_TP: u32 = 23;

/// Where a program of ours is attached, by the program's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Ingress,
    Egress,
    Tracepoint(&'static str),
}

/// An empty program, attached until it is dropped.
#[derive(Debug)]
pub(super) struct Empty {
    program: OwnedFd,
    _link: OwnedFd,
}

/// How often a program has run since statistics were switched on, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) nanoseconds: u64,
    pub(super) count: u64,
}

impl Runs {
    /// Nanoseconds a run since `earlier`; no number when it has not run.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn each_since(self, earlier: Self) -> f64 {
        let nanoseconds = self.nanoseconds - earlier.nanoseconds;
        nanoseconds as f64 / (self.count - earlier.count) as f64
    }
}

impl Empty {
    /// One in each of the places.
    pub(super) fn attach_all(places: impl Iterator<Item = Place>) -> Result<Vec<Self>> {
        let root = host::cgroup::mount_point().context("cgroup v2 is not mounted")?;
        let root = fs::File::open(root)?;
        places.map(|place| Self::attach(place, &root)).collect()
    }

    /// Loads and attaches it: beside ours, at the root of cgroup v2 or at the tracepoint.
    fn attach(place: Place, cgroup_root: &fs::File) -> Result<Self> {
        let (kind, attach, target, verdict) = match place {
            Place::Ingress => (PROG_TYPE_CGROUP_SKB, 0, 0, 1),
            Place::Egress => (PROG_TYPE_CGROUP_SKB, 1, 0, 1),
            Place::Tracepoint(name) => (PROG_TYPE_TRACING, TRACE_RAW_TP, btf::tracepoint(name)?, 0),
        };
        let program = load(kind, attach, target, verdict)
            .with_context(|| format!("load an empty program for {place:?}"))?;
        let fd = program.as_raw_fd().cast_unsigned();
        let link = match place {
            Place::Tracepoint(_) => {
                let mut attr = Attr::default();
                attr.put(8, fd);
                attr.call_for_fd(RAW_TRACEPOINT_OPEN)
            }
            Place::Ingress | Place::Egress => {
                let mut attr = Attr::default();
                attr.put(0, fd);
                attr.put(4, cgroup_root.as_raw_fd().cast_unsigned());
                attr.put(8, attach);
                attr.call_for_fd(LINK_CREATE)
            }
        };
        Ok(Self {
            program,
            _link: link.with_context(|| format!("attach an empty program to {place:?}"))?,
        })
    }

    pub(super) fn runs(&self) -> Result<Runs> {
        Ok(info(self.program.as_raw_fd())?.1)
    }
}

/// `mov r0, verdict; exit`.
fn load(kind: u32, attach: u32, target: u32, verdict: u64) -> io::Result<OwnedFd> {
    let instructions: [u64; 2] = [0xb7 | verdict << 32, 0x95];
    let license = c"GPL";
    let mut attr = Attr::default();
    attr.put(0, kind);
    attr.put(4, 2);
    attr.put_address(8, instructions.as_ptr().addr());
    attr.put_address(16, license.as_ptr().addr());
    attr.put(68, attach);
    attr.put(108, target);
    attr.call_for_fd(PROG_LOAD)
}

/// Run times of all programs are collected until the descriptor is closed, however we end.
pub(super) fn collect_run_times() -> Result<OwnedFd> {
    let attr = Attr::default(); // BPF_STATS_RUN_TIME is 0
    attr.call_for_fd(ENABLE_STATS)
        .context("switch on the run times of BPF programs")
}

/// Our own programs by name, as this process holds them; those of others are not looked at.
pub(super) fn own_programs() -> Result<Vec<(String, i32)>> {
    let mut programs = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo")?.flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let is_program = text.lines().any(|line| line.starts_with("prog_type:"));
        let is_link = text.lines().any(|line| line.starts_with("link_type:"));
        let fd = entry.file_name().to_str().and_then(|fd| fd.parse().ok());
        if let (true, false, Some(fd)) = (is_program, is_link, fd) {
            programs.push((info(fd)?.0, fd));
        }
    }
    Ok(programs)
}

/// How often one of ours has run.
pub(super) fn runs(program: i32) -> Result<Runs> {
    Ok(info(program)?.1)
}

/// `struct bpf_prog_info`: its name (at 64) and its run times (at 192 and 200).
fn info(program: i32) -> Result<(String, Runs)> {
    let mut info = [0_u64; 28];
    let mut attr = Attr::default();
    attr.put(0, program.cast_unsigned());
    attr.put(4, 28 * 8);
    attr.put_address(8, info.as_mut_ptr().expose_provenance());
    attr.call(OBJ_GET_INFO_BY_FD)
        .context("ask for a program's run times")?;
    let name = [info[8], info[9]].map(u64::to_ne_bytes).concat();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let runs = Runs {
        nanoseconds: info[24],
        count: info[25],
    };
    Ok((String::from_utf8_lossy(name).into_owned(), runs))
}

/// `union bpf_attr`, by offset.
#[derive(Default)]
struct Attr([u64; 18]);

impl Attr {
    fn put(&mut self, offset: usize, value: u32) {
        let shift = offset % 8 * 8;
        self.0[offset / 8] |= u64::from(value) << shift;
    }

    fn put_address(&mut self, offset: usize, address: usize) {
        self.0[offset / 8] = address as u64;
    }

    fn call(&self, command: i64) -> io::Result<i64> {
        // SAFETY: the kernel reads the attribute, of the length that is given, and what its
        // addresses point to: arrays that the caller keeps until this returns, writable where the
        // command writes.
        let given = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_ptr(), 18 * 8) };
        if given < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(given)
    }

    fn call_for_fd(&self, command: i64) -> io::Result<OwnedFd> {
        let fd = self.call(command)?;
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the command gives a new descriptor, which nobody else has.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}
