//! One file a command. Each takes a plan and gives the exit status.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::Context as _;
use netprocmon::Degradation;
use netprocmon::text::escape;
use serde::Serialize;

use crate::exit::Status;
use crate::flags::typed::{Cli, Command};
use crate::json;

mod completions;
mod doctor;
mod man;
pub(crate) mod ports;
mod ps;
pub(crate) mod run;
pub(crate) mod shown;
mod top;
mod watch;

/// Does what was typed.
pub(crate) fn execute(typed: Cli) -> anyhow::Result<Status> {
    match typed.command {
        Command::Run(typed) => run::run(&typed.into()),
        Command::Watch(typed) => watch::watch(&typed.into()),
        Command::Ps(typed) => ps::ps(&typed.into()),
        Command::Ports(typed) => ports::ports(typed.into()),
        Command::Doctor(typed) => doctor::doctor(&typed),
        Command::Man(typed) => man::man(&typed),
        Command::Completions(typed) => completions::completions(typed.shell),
        Command::Top(typed) => top::top(*typed),
    }
}

/// Writes a command's whole output; a reader that went away is no failure.
fn print(text: &[u8]) -> anyhow::Result<()> {
    json::write_text(&mut io::stdout().lock(), text).context(STDOUT)?;
    Ok(())
}

/// The same, a line of JSON.
fn print_line(object: &impl Serialize) -> anyhow::Result<()> {
    json::write_line(&mut io::stdout().lock(), object).context(STDOUT)?;
    Ok(())
}

const STDOUT: &str = "write to standard output";

/// Says something on standard error that is not the command's output. Where that fails there is
/// nobody left to tell.
fn say(message: &impl Display) {
    let message = message.to_string();
    drop(writeln!(
        io::stderr().lock(),
        "netprocmon: {}",
        escape(&message)
    ));
}

/// Says what a look could not see, and what would mend it.
fn say_degradations(degradations: &[Degradation]) {
    for degradation in degradations {
        match &degradation.remedy {
            Some(remedy) => say(&format_args!("{}; {remedy}", degradation.message)),
            None => say(&degradation.message),
        }
    }
}
