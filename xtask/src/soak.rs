//! `cargo xtask soak [--minutes N]`: builds the lab and runs its soak: a minute in CI, an hour for
//! whoever wants to know.

use anyhow::Result;
use clap::Args;

use crate::lab;
use crate::packages::{TESTS, is_root, try_install};
use crate::shell::{command, run};

#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// How long
    #[arg(long, default_value = "60")]
    minutes: String,
    /// Everything else is the soak's own
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Soak {
    /// As in CI.
    pub(crate) fn short() -> Self {
        Self {
            minutes: "1".to_owned(),
            args: Vec::new(),
        }
    }

    pub(crate) fn run(&self) -> Result<()> {
        if !is_root() {
            eprintln!("xtask: SKIPPED: the soak, which needs root");
            return Ok(());
        }
        try_install(TESTS);
        let program = lab::build(lab::LAB)?;
        let soak = ["soak", "--minutes", &self.minutes];
        run(command(&program, &soak)?.args(&self.args))
    }
}
