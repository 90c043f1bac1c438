//! Starting other programs: say what is started, fail when it fails.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The root of the workspace, from which every command is run.
pub(crate) fn root() -> Result<PathBuf> {
    // Cargo says it when it runs us; two checkouts that share a target directory share the binary.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = here.parent().context("xtask stands in no workspace")?;
    Ok(root.to_owned())
}

/// A command at the root, with nothing on its standard input.
pub(crate) fn command(program: &str, args: &[&str]) -> Result<Command> {
    let mut command = Command::new(program);
    command.args(args).current_dir(root()?).stdin(Stdio::null());
    Ok(command)
}

/// Prints a command and runs it to its end, which must be a success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    eprintln!("xtask: {line}");
    let status = command.status().with_context(|| format!("start {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// The cargo that runs us, with these arguments.
pub(crate) fn cargo(args: &[&str]) -> Result<Command> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&cargo, args)
}

/// Installs a tool that has little to do, in a minute or two: optimized, or with what a debugger needs,
/// it would take several times that.
pub(crate) fn install_quickly(what: &[&str]) -> Result<()> {
    let install = ["install", "--locked", "--debug"];
    run(cargo(&[&install[..], what].concat())?.env("CARGO_PROFILE_DEV_DEBUG", "0"))
}

/// Where cargo builds: it may have been told to build elsewhere.
pub(crate) fn target_directory() -> Result<PathBuf> {
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

/// Whether a program of this name is on the path, or where only root looks.
pub(crate) fn exists(program: &str) -> bool {
    find(program).is_some()
}

/// Where it is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::split_paths(&path);
    let roots = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let places = own.chain(roots).map(|directory| directory.join(program));
    places.into_iter().find(|place| place.is_file())
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
