//! `cargo xtask test`: the one command that installs what the tests need and runs them all.
//!
//! The lab comes last; its last line says how many of its rows passed, failed and were skipped.

use anyhow::Result;

use crate::lab::Lab;
use crate::packages::{TESTS, try_install};
use crate::shell::{self, cargo};

pub(crate) fn run() -> Result<()> {
    try_install(TESTS);
    // Unit, integration and documentation tests of every crate.
    shell::run(&mut cargo(&["test", "--workspace", "--locked"])?)?;
    Lab::default().run()
}
