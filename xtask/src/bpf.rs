//! `cargo xtask bpf`: compiles the BPF programs into the object that is committed, so that users
//! need no clang; with `--check`, finds out whether that object is what the source gives.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::packages::{BPF, install};
use crate::shell::{command, root, run};

const SOURCE: &str = "crates/netprocmon-ebpf/bpf/netprocmon.bpf.c";
const OBJECT: &str = "crates/netprocmon-ebpf/bpf/netprocmon.bpf.o";

#[derive(Debug, Args)]
pub(crate) struct Bpf {
    /// Change nothing; fail when the committed object is not what the source gives.
    #[arg(long)]
    pub(crate) check: bool,
}

impl Bpf {
    pub(crate) fn run(&self) -> Result<()> {
        install(BPF)?;
        let committed = root()?.join(OBJECT);
        if !self.check {
            return compile(&committed);
        }
        let fresh = std::env::temp_dir().join(format!("netprocmon-{}.bpf.o", std::process::id()));
        let compiled = compile(&fresh).and_then(|()| same(&committed, &fresh));
        // It may not have been made.
        let _ = fs::remove_file(&fresh);
        compiled
    }
}

/// Debug sections go, BTF stays: the loader needs it for CO-RE.
fn compile(object: &Path) -> Result<()> {
    let object = object.to_str().context("a path that is not UTF-8")?;
    // The object must not depend on where the checkout stands.
    let prefix = format!("-ffile-prefix-map={}=.", root()?.display());
    let flags = [
        "-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3",
    ];
    // Debian has the headers of the machine's own architecture in a directory that clang does not
    // look into when it compiles for BPF.
    let include = format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let more = ["-D__TARGET_ARCH_x86", &prefix, &include];
    let files = ["-c", SOURCE, "-o", object];
    run(&mut command(
        "clang-19",
        &[&flags[..], &more, &files].concat(),
    )?)?;
    run(&mut command("llvm-strip-19", &["-g", object])?)
}

fn same(committed: &Path, fresh: &Path) -> Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("read {}", path.display()));
    if read(committed)? != read(fresh)? {
        bail!("{OBJECT} is not what {SOURCE} gives: run `cargo xtask bpf` and commit the object");
    }
    Ok(())
}
