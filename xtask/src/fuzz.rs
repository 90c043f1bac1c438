//! `cargo xtask fuzz [TARGET]… [--seconds N]`: runs the fuzz targets, one after the other, from the
//! corpus in `fuzz/corpus` on. What breaks one is written to `fuzz/artifacts`; it belongs into the
//! corpus, where every `cargo test` replays it.
//!
//! The programs are built by cargo-fuzz with flags that the stable compiler takes only when it is
//! told to behave as a nightly one.

use std::fs;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::shell::{cargo, exists, root, run, target_directory};

/// Which targets, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Names, as `fuzz/fuzz_targets` has them; all of them if none is given
    targets: Vec<String>,
    /// How long each is run
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
}

impl Fuzz {
    pub(crate) fn run(&self) -> Result<()> {
        if !exists("cargo-fuzz") {
            run(&mut cargo(&["install", "--locked", "cargo-fuzz"])?)?;
        }
        let known = targets()?;
        if let Some(name) = self.targets.iter().find(|name| !known.contains(name)) {
            bail!("{name} is none of {}", known.join(", "));
        }
        let chosen = if self.targets.is_empty() {
            &known
        } else {
            &self.targets
        };
        chosen.iter().try_for_each(|name| self.run_one(name))
    }

    fn run_one(&self, name: &str) -> Result<()> {
        // What is found by the way stays out of the repository.
        let found = target_directory()?.join("fuzz-corpus").join(name);
        fs::create_dir_all(&found)?;
        let seconds = format!("-max_total_time={}", self.seconds);
        let limits = [
            "--",
            &seconds,
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ];
        let mut fuzz = cargo(&["fuzz", "run", name])?;
        fuzz.arg(found).arg(root()?.join("fuzz/corpus").join(name));
        fuzz.args(limits).env("RUSTC_BOOTSTRAP", "1");
        run(&mut fuzz)
    }
}

/// Those that there are.
fn targets() -> Result<Vec<String>> {
    let directory = root()?.join("fuzz/fuzz_targets");
    let entries =
        fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
