//! fork(2), for the generators whose subject is a process that was forked and not executed.

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, WaitOptions, set_parent_process_death_signal};

use super::{Account, Event, say, wait_for_release};

/// Runs `child` in a forked process and gives its pid. The process ends with 0 when `child`
/// succeeds, else with 1; nothing of the parent's (destructors, buffers) runs in it.
///
/// Only for a process with one thread, which a generator is until it serves.
pub(super) fn fork(child: impl FnOnce() -> Result<()>) -> Result<Pid> {
    // SAFETY: this process has one thread, so the child finds no lock held by another.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(std::io::Error::last_os_error()).context("fork"),
        0 => {
            let status = match child() {
                Ok(()) => 0,
                Err(error) => {
                    eprintln!("lab: forked process: {error:#}");
                    1
                }
            };
            // SAFETY: ends the process at once and touches no memory.
            unsafe { libc::_exit(status) }
        }
        pid => Pid::from_raw(pid).context("fork gave a pid that is none"),
    }
}

/// Serves `count` connections at `port`, in so many forked workers, each an equal share, or in this
/// process if there are to be none; says the port when all is ready.
pub(super) fn serve(
    port: u16,
    count: usize,
    workers: usize,
    serve: impl Fn(usize) -> Result<()>,
) -> Result<()> {
    if workers == 0 {
        say(&Event::Listening { port })?;
        return serve(count);
    }
    ensure!(count.is_multiple_of(workers), "no equal shares");
    for _ in 0..workers {
        fork(|| {
            // It has nothing to do any more when its master is gone.
            set_parent_process_death_signal(Some(Signal::KILL))?;
            serve(count / workers)
        })?;
    }
    say(&Event::Listening { port })?;
    say(&Event::Moved(Account::of_this_process()))?;
    wait_for_release()?;
    for _ in 0..workers {
        join(None)?;
    }
    Ok(())
}

/// Waits for the end of a forked process, which must be a success.
pub(super) fn join(pid: Option<Pid>) -> Result<()> {
    let ended = rustix::process::waitpid(pid, WaitOptions::empty()).context("wait for a fork")?;
    match ended {
        Some((_, status)) if status.exit_status() == Some(0) => Ok(()),
        other => bail!("a forked process failed: {other:?}"),
    }
}
