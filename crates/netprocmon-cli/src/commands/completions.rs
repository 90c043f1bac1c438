//! `netprocmon completions`: a shell's completions, from the same definition as the help.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::commands::print;
use crate::exit::Status;
use crate::flags::typed::Cli;

/// Prints the completions for `shell`.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<Status> {
    // clap_complete panics where it cannot write, so it writes into memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "netprocmon", &mut script);
    print(&script)?;
    Ok(Status::Success)
}
