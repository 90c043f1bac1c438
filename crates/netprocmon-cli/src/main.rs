//! The `netprocmon` command: counts the network bytes of processes and shows them.
//!
//! Only the way in and the way out are here: flags become plain structs ([`flags`]), a command does
//! the work ([`commands`]), and whatever went wrong is printed in one place ([`exit`]). Counting is
//! the library's work; nothing here knows how it is done.
#![forbid(unsafe_code)]

mod commands;
mod exit;
mod flags;
mod json;
mod render;
mod signals;
mod sockets;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let typed = flags::typed::Cli::parse();
    match commands::execute(typed) {
        Ok(status) => status.into(),
        Err(error) => {
            exit::report(&error);
            exit::status_of(&error).into()
        }
    }
}
