//! `netprocmon completions`: a shell's completions, from the same definition as the help.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::exit::Status;
use crate::flags::typed::Cli;
use crate::json;

/// Prints the completions for `shell`.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<Status> {
    // clap_complete panics where it cannot write, so it writes into memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "netprocmon", &mut script);
    json::write_text(&mut io::stdout().lock(), &script)?;
    Ok(Status::Success)
}
