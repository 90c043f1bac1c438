//! Developer commands of netprocmon: `cargo xtask COMMAND`, one file each.
//!
//! They only call other programs (cargo, clang, apt-get), print each call, and stop at the first
//! that fails. Nothing here is part of what users install.

use std::process::ExitCode;

use clap::Parser;

mod bench;
mod bpf;
mod ci;
mod demo;
mod fuzz;
mod instructions;
mod kernels;
mod lab;
mod packages;
mod python;
mod shell;
mod soak;
mod test;
mod wheels;

/// Developer commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Install what the tests need, then run every test and the lab.
    Test,
    /// Build the lab and the command that it tests, and run it as root.
    Lab(lab::Lab),
    /// Build the bench and the command that it measures, and run it as root.
    Bench(bench::Bench),
    /// Make the pictures and the recording of the live view for the documents, as root.
    Demo(demo::Demo),
    /// Boot other kernels in guests, and run the command and some of the lab's rows there.
    Kernels(kernels::Kernels),
    /// Run for a long time on a host where everything comes and goes: nothing may grow.
    Soak(soak::Soak),
    /// Run the fuzz targets.
    Fuzz(fuzz::Fuzz),
    /// Count the instructions of what runs in each tick, and compare with what is committed.
    Instructions(instructions::Instructions),
    /// Build the Python package, and run its lints, types and tests.
    Python(python::Python),
    /// Build the Python package as it would be published, for each architecture.
    Wheels(wheels::Wheels),
    /// Compile the BPF programs into the object that is committed.
    Bpf(bpf::Bpf),
    /// Everything that must hold for a commit: format, lints, docs, BPF object, licences,
    /// instruction counts, tests.
    Ci,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Test => test::run(),
        Command::Lab(lab) => lab.run(),
        Command::Bench(bench) => bench.run(),
        Command::Soak(soak) => soak.run(),
        Command::Demo(demo) => demo.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::Kernels(kernels) => kernels.run(),
        Command::Instructions(instructions) => instructions.run(),
        Command::Python(python) => python.run(),
        Command::Wheels(wheels) => wheels.run(),
        Command::Bpf(bpf) => bpf.run(),
        Command::Ci => ci::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Command::command().debug_assert();
    }
}
