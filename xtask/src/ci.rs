//! `cargo xtask ci`: everything that must hold for a commit, on a machine with nothing installed
//! but Rust, a C compiler and Debian's packages. `.ci/run` calls it.

use anyhow::Result;

use crate::shell::{self, cargo, exists, install_quickly};
use crate::{bpf::Bpf, instructions::Instructions, kernels::Kernels, soak::Soak, test};

pub(crate) fn run() -> Result<()> {
    shell::run(&mut cargo(&["fmt", "--all", "--check"])?)?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked"];
    shell::run(&mut cargo(
        &[&clippy[..], &["--", "-D", "warnings"]].concat(),
    )?)?;
    let doc = ["doc", "--workspace", "--no-deps", "--locked"];
    shell::run(cargo(&doc)?.env("RUSTDOCFLAGS", "-D warnings"))?;
    Bpf { check: true }.run()?;
    deny()?;
    Instructions::default().run()?;
    test::run()?;
    Soak::short().run()?;
    // The one that takes everything that newer kernels tell in another way.
    Kernels::only("6.1").run_where_they_can_be_had()
}

/// Licences, bans and sources of all dependencies (deny.toml). Advisories are left out: they change
/// without a commit, and a commit's result must not.
fn deny() -> Result<()> {
    if !exists("cargo-deny") {
        install_quickly(&["cargo-deny"])?;
    }
    let check = ["deny", "check", "licenses", "bans", "sources"];
    shell::run(&mut cargo(&check)?)
}
