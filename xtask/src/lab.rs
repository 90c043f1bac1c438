//! `cargo xtask lab [ARGS]`: builds the lab and the command that it tests, as users get them, and
//! runs the lab. With `--peers` it gets the other tools first, as the bench does.

use anyhow::{Context, Result};
use clap::Args;

use crate::bench::get_peers;
use crate::packages::{TESTS, try_install};
use crate::shell::{cargo, command, run, target_directory};

/// The program that plays the table.
pub(crate) const LAB: &str = "netprocmon-lab";

/// Everything is the lab's: `--list`, `--only PATTERN`, `--report FILE`, …; but for `--peers`, which
/// gets the other tools and tells the lab where they are.
#[derive(Debug, Default, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Lab {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Lab {
    pub(crate) fn run(self) -> Result<()> {
        let program = build(LAB)?;
        let mut lab = command(&program, &[])?;
        if let Some(revision) = revision() {
            lab.arg("--revision").arg(revision);
        }
        if self.args.iter().any(|arg| arg == "--peers") {
            try_install(TESTS);
            lab.arg("--peers").arg(get_peers(&target_directory()?)?);
        }
        run(lab.args(self.args.iter().filter(|arg| *arg != "--peers")))
    }
}

/// Builds the lab and the command, always both: one alone has other features of what they share, and
/// all of that would be compiled again. The program of the lab's that is called `name`.
pub(crate) fn build(name: &str) -> Result<String> {
    let packages = ["-p", "netprocmon-lab", "-p", "netprocmon-cli"];
    let build = ["build", "--release", "--locked"];
    run(&mut cargo(&[&build[..], &packages].concat())?)?;
    let program = target_directory()?.join("release").join(name);
    let program = program.to_str().context("a path that is not UTF-8")?;
    Ok(program.to_owned())
}

/// The commit that is tested, and whether anything was changed since; `None` outside a repository.
fn revision() -> Option<String> {
    let args = [
        "describe",
        "--always",
        "--abbrev=12",
        "--dirty= and changes",
    ];
    let output = command("git", &args).ok()?.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
