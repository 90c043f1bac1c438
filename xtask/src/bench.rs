//! `cargo xtask bench [ARGS]`: builds the bench and the command that it measures, as users get
//! them, and runs it. With `--peers` it gets the other tools first.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::lab;
use crate::packages::{PEERS, TESTS, try_install};
use crate::shell::{cargo, command, run, target_directory};

/// What the bench understands besides: `--quick`, `--only NAME`, …
#[derive(Debug, Default, Args)]
pub(crate) struct Bench {
    /// Measure other tools beside it; they are built into the target directory, which takes long
    #[arg(long)]
    peers: bool,
    /// Everything else is the bench's own
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Those of crates.io.
const CRATES: [&str; 2] = ["bandwhich", "rustnet-monitor"];

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        try_install(TESTS);
        let mut bench = command(&lab::build("netprocmon-bench")?, &[])?;
        if self.peers {
            bench.arg("--peers").arg(get_peers(&target_directory()?)?);
        }
        run(bench.args(self.args))
    }
}

/// Gets them, and gives the directory of those that were built. What cannot be had is only said:
/// the report will say so too.
pub(crate) fn get_peers(target: &Path) -> Result<PathBuf> {
    try_install(PEERS);
    let directory = target.join("peers");
    let root = directory.to_str().context("a path that is not UTF-8")?;
    for name in CRATES {
        let install = ["install", "--locked", "--root", root, name];
        if let Err(error) = run(&mut cargo(&install)?) {
            eprintln!("xtask: {error:#}");
        }
    }
    Ok(directory.join("bin"))
}
