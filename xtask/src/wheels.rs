//! `cargo xtask wheels`: the Python package as it would be published, for each architecture, in
//! `target/wheels`.
//!
//! Linked against an old glibc (`manylinux_2_17`: of 2014), so that they run wherever Python 3.11 does.
//! Zig's linker has the C libraries of every architecture with it; the Rust side needs the target's
//! standard library, which rustup gets. The BPF object is one for all: little-endian, relocated
//! where it is loaded.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

use crate::python::Venv;
use crate::shell::{command, run, target_directory};

/// Pinned, as everything is that a wheel is made with.
const LINKER: &str = "ziglang==0.17.1";
const COMPATIBILITY: &str = "manylinux_2_17";
const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// Build the wheels that would be published.
#[derive(Debug, Args)]
pub(crate) struct Wheels {
    /// Only for this one; may be given more than once
    #[arg(long = "for", value_name = "ARCHITECTURE", value_parser = ARCHITECTURES)]
    architectures: Vec<String>,
}

impl Wheels {
    pub(crate) fn run(self) -> Result<()> {
        let target = target_directory()?;
        let venv = Venv::make(target.join("python"))?;
        venv.pip_install_requirements()?;
        venv.pip(&[LINKER])?;
        let all = ARCHITECTURES.map(str::to_owned).to_vec();
        let wanted = if self.architectures.is_empty() {
            all
        } else {
            self.architectures
        };
        let out = target.join("wheels");
        for architecture in &wanted {
            let triple = format!("{architecture}-unknown-linux-gnu");
            run(&mut command("rustup", &["target", "add", &triple])?)?;
            let directory = out.join(architecture);
            venv.run(
                "maturin",
                &[
                    "build",
                    "--release",
                    "--strip",
                    "--zig",
                    "--target",
                    &triple,
                    "--compatibility",
                    COMPATIBILITY,
                    "--out",
                    &directory.to_string_lossy(),
                ],
            )?;
        }
        for architecture in &wanted {
            println!("{}", built(&out.join(architecture), architecture)?);
        }
        Ok(())
    }
}

/// The path of the wheel, which says in its name what it is for.
fn built(directory: &Path, architecture: &str) -> Result<String> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains("-abi3-") && name.contains(&format!("{COMPATIBILITY}_{architecture}")) {
            return Ok(path.to_string_lossy().into_owned());
        }
    }
    bail!("no wheel for {COMPATIBILITY} on {architecture} was made");
}
