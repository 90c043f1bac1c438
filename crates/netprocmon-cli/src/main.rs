//! The program: only what the operating system wants of one. All else is the library's.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    netprocmon_cli::main(std::env::args_os()).into()
}
