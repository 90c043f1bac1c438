//! `cargo xtask python`: builds the Python package as `pip install .` does, into a virtual environment
//! of its own below the target directory, and runs its format, lints, types and tests.
//!
//! The package is built with cargo's `dev` profile, which shares what `cargo test` has compiled;
//! `--release` builds it as users get it, for measurements (`-- -m bench`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::packages::{PYTHON, is_root, try_install};
use crate::shell::{command, exists, run, target_directory};

const PACKAGE: &str = "crates/netprocmon-python";
const PLUGIN: &str = "crates/netprocmon-python/pytest-netprocmon";

/// Build the Python package, and run its lints, types and tests.
#[derive(Debug, Default, Args)]
pub(crate) struct Python {
    /// Build it as users get it
    #[arg(long)]
    release: bool,

    /// Only pytest, with these arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pytest: Vec<String>,
}

impl Python {
    pub(crate) fn run(self) -> Result<()> {
        let target = target_directory()?;
        let venv = Venv::make(target.join("python"))?;
        venv.pip_install_requirements()?;
        let profile = if self.release { "release" } else { "dev" };
        // What is tested is what pip builds and installs. Without the debug information, which pip
        // would compress first; maturin is there already, so pip need not fetch it again.
        let settings = format!("build-args=--profile {profile} --strip");
        let own = ["--no-build-isolation", "--no-deps", "--force-reinstall"];
        let package = ["--config-settings", &settings, "."];
        venv.pip_with(&[&own[..], &package].concat(), &target)?;
        venv.pip_with(&[&own[..], &[PLUGIN]].concat(), &target)?;
        if self.pytest.is_empty() {
            let sources = [PACKAGE];
            venv.run("ruff", &[&["check"], &sources[..]].concat())?;
            venv.run("ruff", &[&["format", "--check"], &sources[..]].concat())?;
            venv.run("mypy", &["-p", "netprocmon", "-p", "pytest_netprocmon"])?;
            venv.run("basedpyright", &[])?;
            venv.run("stubtest", &["netprocmon._netprocmon"])?;
        }
        if !is_root() {
            eprintln!("xtask: SKIPPED: the Python tests that need root, shown as skipped below");
        }
        let mut pytest = vec!["-m", "pytest", "-q", "-p", "no:cacheprovider"];
        pytest.extend(self.pytest.iter().map(String::as_str));
        venv.run("python", &pytest)
    }
}

/// A virtual environment.
pub(crate) struct Venv {
    programs: PathBuf,
}

impl Venv {
    pub(crate) fn make(root: PathBuf) -> Result<Self> {
        let programs = root.join("bin");
        if !programs.join("python").exists() || !is_new_enough(&programs.join("python")) {
            let python = interpreter()?;
            let mut make = command(&python, &["-m", "venv", "--clear"])?;
            run(make.arg(root))?;
        }
        Ok(Self { programs })
    }

    /// What the package is built and tried with.
    pub(crate) fn pip_install_requirements(&self) -> Result<()> {
        self.pip(&["-r", &format!("{PACKAGE}/tests/requirements.txt")])
    }

    pub(crate) fn pip(&self, arguments: &[&str]) -> Result<()> {
        let install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
        self.run("python", &[&install[..], arguments].concat())
    }

    /// The same, with cargo building where it builds everything.
    fn pip_with(&self, arguments: &[&str], target: &Path) -> Result<()> {
        let install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
        let mut pip = self.command("python", &[&install[..], arguments].concat())?;
        run(pip.env("CARGO_TARGET_DIR", target))
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        run(&mut self.command(program, arguments)?)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<Command> {
        let program = self.programs.join(program);
        let program = program.to_str().context("a path that is not UTF-8")?;
        let mut command = command(program, arguments)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let others = std::env::split_paths(&path);
        let path = std::env::join_paths(std::iter::once(self.programs.clone()).chain(others))?;
        command.env("PATH", path);
        Ok(command)
    }
}

/// A Python that is new enough and can make virtual environments, installed if there is none.
fn interpreter() -> Result<String> {
    const NAMES: [&str; 5] = [
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
    ];
    let find = || {
        let mut there = NAMES.into_iter().filter(|name| exists(name));
        there.find(|name| is_new_enough(Path::new(name)))
    };
    if find().is_none() {
        try_install(PYTHON);
    }
    let Some(found) = find() else {
        bail!("missing: Python 3.11 or later with venv and pip (Debian's python3-venv)");
    };
    Ok(found.to_owned())
}

fn is_new_enough(python: &Path) -> bool {
    let check = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))";
    let status = Command::new(python).args(["-c", check]).status();
    status.is_ok_and(|status| status.success())
}
