//! One program: into the kernel, and to its hook.
//!
//! Loading is where the start's time goes, nearly all of it in the verifier, and programs are
//! verified independently: several are loaded at a time. The threads end before the call does.

use std::num::NonZero;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};
use std::{panic, thread};

use aya::maps::ProgramArray;
use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, CgroupSockAddr,
    FExit, Iter, Program, ProgramError,
};
use aya::{Btf, Ebpf};

use crate::hooks::{Hook, Place};

/// A program that has been offered to the kernel, and the kernel's answer.
pub(super) type Offered = (&'static Hook, Result<(), ProgramError>);

/// More threads than this wait for each other in the kernel.
const MOST_THREADS: usize = 4;

/// Loads the programs of `hooks`. What the object does not have is not in the answer.
pub(super) fn load_all(ebpf: &mut Ebpf, btf: &Btf, hooks: &[&'static Hook]) -> Vec<Offered> {
    let programs = ebpf.programs_mut().filter_map(|(name, program)| {
        let hook = hooks.iter().find(|hook| hook.program == name)?;
        Some((*hook, program))
    });
    let mut programs: Vec<_> = programs.collect();
    // The long ones first, so that no thread is left with one at the end.
    programs.sort_by_key(|(hook, _)| !matches!(hook.place, Place::SkbEgress | Place::SkbIngress));
    let queue = Mutex::new(programs.into_iter());
    let work = || {
        let mut done = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((hook, program)) = next else {
                return done;
            };
            done.push((hook, load(program, hook, btf)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(MOST_THREADS))
            .map(|_| scope.spawn(work))
            .collect();
        let mut done = work();
        for other in others {
            done.extend(
                other
                    .join()
                    .unwrap_or_else(|panic| panic::resume_unwind(panic)),
            );
        }
        done
    })
}

fn load(program: &mut Program, hook: &Hook, btf: &Btf) -> Result<(), ProgramError> {
    match hook.place {
        Place::SkbEgress | Place::SkbIngress | Place::TailCall(_) => {
            as_kind::<CgroupSkb>(program)?.load()
        }
        Place::CgroupSock => as_kind::<CgroupSock>(program)?.load(),
        Place::CgroupSockAddr => as_kind::<CgroupSockAddr>(program)?.load(),
        Place::Tracepoint => as_kind::<BtfTracePoint>(program)?.load(hook.program, btf),
        Place::Again(name) => as_kind::<BtfTracePoint>(program)?.load(name, btf),
        Place::Return => as_kind::<FExit>(program)?.load(hook.program, btf),
        Place::Iterator(over) => as_kind::<Iter>(program)?.load(over, btf),
    }
}

/// Attaches a loaded program; the iterator has nothing to be attached to.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    hook: &Hook,
    root: BorrowedFd<'_>,
) -> Result<(), ProgramError> {
    // A bpf_link is always of the kind that leaves room for others; the flag is for the old way.
    const MODE: CgroupAttachMode = CgroupAttachMode::Single;
    let program = ebpf.program_mut(hook.program).ok_or(WRONG_KIND)?;
    match hook.place {
        Place::SkbEgress => as_kind::<CgroupSkb>(program)?
            .attach(root, CgroupSkbAttachType::Egress, MODE)
            .map(drop),
        Place::SkbIngress => as_kind::<CgroupSkb>(program)?
            .attach(root, CgroupSkbAttachType::Ingress, MODE)
            .map(drop),
        Place::CgroupSock => as_kind::<CgroupSock>(program)?.attach(root, MODE).map(drop),
        Place::CgroupSockAddr => as_kind::<CgroupSockAddr>(program)?
            .attach(root, MODE)
            .map(drop),
        Place::Tracepoint | Place::Again(_) => {
            as_kind::<BtfTracePoint>(program)?.attach().map(drop)
        }
        Place::Return => as_kind::<FExit>(program)?.attach().map(drop),
        Place::Iterator(_) => Ok(()),
        Place::TailCall(table) => {
            let program = as_kind::<CgroupSkb>(program)?.fd()?.try_clone()?;
            let table = ebpf.map_mut(table).ok_or(WRONG_KIND)?;
            ProgramArray::try_from(table)?.set(0, &program, 0)?;
            Ok(())
        }
    }
}

const WRONG_KIND: ProgramError = ProgramError::UnexpectedProgramType;

/// The program as what it is in the object.
pub(super) fn as_kind<'a, T>(program: &'a mut Program) -> Result<&'a mut T, ProgramError>
where
    &'a mut T: TryFrom<&'a mut Program>,
{
    program.try_into().map_err(|_| WRONG_KIND)
}
