//! The `netprocmon` command: counts the network bytes of processes and shows them.
//!
//! Only the way in and the way out are here: flags become plain structs (`flags`), a command does
//! the work (`commands`), as whoever is meant to do it (`rights`), and whatever went wrong is printed in one place (`exit`). Counting is
//! the library's work; nothing here knows how it is done.
//!
//! It is a library of one function, so that whoever brings the command (the program in `main.rs`,
//! the Python package) calls the same one. It never ends the process that called it, but leaves it
//! with fewer rights than it had: those that counting needs (`rights`).
#![forbid(unsafe_code)]

mod commands;
mod config;
mod exit;
mod flags;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod json;
#[cfg(test)]
#[path = "../../netprocmon/tests/made/mod.rs"]
mod made;
mod render;
mod rights;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};

use clap::Parser as _;

/// Does what `arguments` say, the first of which is the program's own name, and gives the exit
/// status: the contract's, in `--help`.
///
/// ```
/// assert_eq!(netprocmon_cli::main(["netprocmon".into(), "--version".into()]), 0);
/// assert_eq!(netprocmon_cli::main(["netprocmon".into(), "--nonsense".into()]), 2);
/// ```
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = flags::with_command(arguments.into_iter().collect(), is_for_people());
    let done = match flags::typed::Cli::try_parse_from(arguments) {
        Ok(typed) => commands::execute(typed),
        Err(not_meant) => Ok(exit::explain(&not_meant)),
    };
    let status = done.unwrap_or_else(|error| {
        exit::report(&error);
        exit::status_of(&error)
    });
    // Under a caller that is no Rust program, nothing flushes at the end. Where that fails the
    // reader has gone.
    drop(io::stdout().lock().flush());
    status.code()
}

/// Whether there is somebody to look and to type.
fn is_for_people() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}
