//! The lab's program: runs the table, or is one of its generators.
//!
//! `cargo xtask lab` builds it and the command it tests, and runs it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use netprocmon_lab::generate::Generator;
use netprocmon_lab::runner::{self, Options};
use netprocmon_lab::soak::Soak;

/// Proves on this kernel that netprocmon's numbers are right.
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
    /// Be a generator; the lab starts itself this way.
    #[command(hide = true, subcommand)]
    Generate(Generator),
    /// Find out whether anything grows over time.
    Soak(Soak),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Generate(generator)) => generator.run().map(|()| true),
        Some(Command::Soak(soak)) => soak.run(),
        None => runner::run(&cli.options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}
