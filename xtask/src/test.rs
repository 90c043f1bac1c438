//! `cargo xtask test`: the one command that installs what the tests need and runs them all.
//!
//! The Python package comes after the Rust tests, with what they have compiled. The lab comes last;
//! its last line says how many of its rows passed, failed and were skipped.

use anyhow::Result;

use crate::lab::Lab;
use crate::packages::{TESTS, is_root, try_install};
use crate::python::Python;
use crate::shell::{self, cargo};

pub(crate) fn run() -> Result<()> {
    try_install(TESTS);
    // Unit, integration and documentation tests of every crate. Those that need root are marked as
    // ignored, so that they never read as passed where they did not run.
    let mut test = cargo(&["test", "--workspace", "--locked"])?;
    if is_root() {
        test.args(["--", "--include-ignored"]);
    } else {
        eprintln!("xtask: SKIPPED: the tests that need root, shown as ignored below");
    }
    shell::run(&mut test)?;
    Python::default().run()?;
    Lab::default().run()
}
