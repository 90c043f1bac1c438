//! `cargo xtask lab [ARGS]`: builds the lab and the command that it tests, as users get them, and
//! runs the lab.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::shell::{cargo, command, run};

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

/// Where cargo builds: it may have been told to build elsewhere.
fn target_directory() -> Result<PathBuf> {
    let args = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
    let mut metadata: Command = cargo(&args)?;
    let output = metadata.output().context("start cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let directory = metadata["target_directory"].as_str();
    Ok(directory
        .context("cargo metadata names no target directory")?
        .into())
}
