//! The bench's program: measures, or is one of the processes that it measures with.
//!
//! `cargo xtask bench` builds it and the command that it measures, and runs it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use netprocmon_lab::bench::{self, Options, Worker};

/// What counting costs on this machine.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be one of the bench's own processes; it starts itself this way.
    #[command(hide = true, subcommand)]
    Work(Worker),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Work(worker)) => worker.run(),
        None => bench::run(&cli.options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
