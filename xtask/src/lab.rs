//! `cargo xtask lab [ARGS]`: builds the lab and the command that it tests, as users get them, and
//! runs the lab.

use anyhow::{Context, Result};
use clap::Args;

use crate::shell::{cargo, command, run, target_directory};

/// Everything after it is the lab's: `--list`, `--only PATTERN`, `--report FILE`, …
#[derive(Debug, Default, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Lab {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Lab {
    pub(crate) fn run(self) -> Result<()> {
        let packages = ["-p", "netprocmon-lab", "-p", "netprocmon-cli"];
        let build = ["build", "--release", "--locked"];
        run(&mut cargo(&[&build[..], &packages].concat())?)?;
        let program = target_directory()?.join("release/netprocmon-lab");
        let program = program.to_str().context("a path that is not UTF-8")?;
        let mut lab = command(program, &[])?;
        run(lab.args(self.args))
    }
}
