//! `cargo xtask instructions [--update]`: counts the instructions of what runs in each tick, and
//! fails when something has become more expensive than the counts that are committed.
//!
//! Counting is done by gungraun, which runs the benchmarks under valgrind. On its own it compares
//! with the last run on the same machine, or with one limit for all; here every benchmark has a
//! count under version control, so the comparison is ours (`verdict`).
//!
//! Counts depend on the compiler and on the C library. With others than those of the committed
//! counts the benchmarks still have to run, but nothing is compared, and that is said.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::packages::{INSTRUCTIONS, try_install};
use crate::shell::{cargo, command, exists, install_quickly, root, target_directory};

mod verdict;

use verdict::{Counts, Verdict, compare};

const COMMITTED: &str = "benches/instructions.json";
/// All benchmarks are in a target of this name, in groups that say who can run them.
const BENCH: [&str; 8] = [
    "-p",
    "netprocmon-model",
    "-p",
    "netprocmon-host",
    "-p",
    "netprocmon-packet",
    "--bench",
    "instructions",
];
/// The group of those that need no privilege.
const ANYONE: &str = "*::anyone::*";

#[derive(Debug, Default, Args)]
pub(crate) struct Instructions {
    /// Commit to what is measured now: write it to benches/instructions.json
    #[arg(long)]
    update: bool,
}

impl Instructions {
    pub(crate) fn run(&self) -> Result<()> {
        try_install(INSTRUCTIONS);
        if !exists("valgrind") {
            eprintln!("xtask: SKIPPED: instruction counts: there is no valgrind");
            return Ok(());
        }
        let all = has_namespaces();
        let toolchain = toolchain()?;
        if !self.update {
            return check(&toolchain, &measure(all)?, all);
        }
        if !all {
            bail!("--update takes every count, and some need root (a network namespace)");
        }
        let counts = measure(all)?;
        let new = json!({ "measured_with": toolchain, "instructions": counts });
        let text = serde_json::to_string_pretty(&new)? + "\n";
        fs::write(root()?.join(COMMITTED), text).with_context(|| format!("write {COMMITTED}"))
    }
}

fn check(toolchain: &str, measured: &Counts, all: bool) -> Result<()> {
    let text = fs::read_to_string(root()?.join(COMMITTED));
    let text = text.with_context(|| format!("read {COMMITTED}"))?;
    let mut file: Value = serde_json::from_str(&text).context(COMMITTED)?;
    let committed: Counts =
        serde_json::from_value(file["instructions"].take()).context(COMMITTED)?;
    let verdicts = compare(&committed, measured, all);
    println!("{:>14} {:>14}  benchmark", "committed", "measured");
    for (name, verdict) in &verdicts {
        let count = |counts: &Counts| counts.get(name).map_or("-".to_owned(), u64::to_string);
        let (old, new) = (count(&committed), count(measured));
        println!("{old:>14} {new:>14}  {name}: {verdict}");
    }
    let with = file["measured_with"].as_str().unwrap_or_default();
    if with != toolchain {
        eprintln!("xtask: SKIPPED: the comparison of instruction counts: measured with {with}");
        eprintln!("xtask: this is {toolchain}");
        return Ok(());
    }
    if verdicts
        .values()
        .any(|verdict| *verdict == Verdict::Skipped)
    {
        eprintln!("xtask: SKIPPED: the counts that need a network namespace, and so root");
    }
    let bad = verdicts.values().filter(|verdict| verdict.fails()).count();
    if bad > 0 {
        bail!(
            "{bad} instruction counts are not what is committed; where that is meant, run \
             `cargo xtask instructions --update` as root and say why in the commit"
        );
    }
    Ok(())
}

/// Builds the benchmarks as users get the crates and runs them.
fn measure(all: bool) -> Result<Counts> {
    let runner = runner()?;
    let mut bench = cargo(&["bench", "--locked"])?;
    bench.args(BENCH).args(["--", "--output-format=json"]);
    if !all {
        bench.arg(ANYONE);
    }
    bench.env("GUNGRAUN_RUNNER", runner);
    let output = output(&mut bench)?;
    output.lines().map(count).collect()
}

/// One line of gungraun's output (its summary, schema 7).
fn count(line: &str) -> Result<(String, u64)> {
    let summary: Value = serde_json::from_str(line).context("gungraun's output")?;
    let text = |key: &str| summary[key].as_str().unwrap_or_default().to_owned();
    let package = text("package_dir");
    let package = package.rsplit('/').next().unwrap_or_default();
    let mut name = format!("{package}::{}", text("function_name"));
    let case = text("id");
    if !case.is_empty() {
        name = format!("{name}::{case}");
    }
    let total = &summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"];
    let total = total.as_u64().filter(|total| *total > 0);
    Ok((name, total.with_context(|| format!("no count in {line}"))?))
}

/// The program that runs the benchmarks. It must be of the library's own version, and is kept in
/// the target directory.
fn runner() -> Result<std::path::PathBuf> {
    let id = output(&mut cargo(&["pkgid", "--locked", "gungraun-runner"])?)?;
    let (_, version) = id
        .trim()
        .rsplit_once('@')
        .context("cargo pkgid: no version")?;
    let tools = target_directory()?.join("tools");
    let root = tools.to_str().context("a path that is not UTF-8")?;
    let version = format!("={version}");
    install_quickly(&["--root", root, "--version", &version, "gungraun-runner"])?;
    Ok(tools.join("bin/gungraun-runner"))
}

/// What else the counts depend on.
fn toolchain() -> Result<String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = output(&mut command(&rustc, &["--version"])?)?;
    let libc = output(&mut command("getconf", &["GNU_LIBC_VERSION"])?)?;
    let machine = std::env::consts::ARCH;
    Ok(format!("{}, {}, {machine}", rustc.trim(), libc.trim()))
}

/// Whether the benchmarks that make a network namespace of their own can.
fn has_namespaces() -> bool {
    let up = ["--net", "ip", "link", "set", "lo", "up"];
    let tried = command("unshare", &up).map(|mut unshare| unshare.stderr(Stdio::null()).status());
    tried.is_ok_and(|status| status.is_ok_and(|status| status.success()))
}

/// What a command prints; it must be a success.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("start {}", name.display()))?;
    if !output.status.success() {
        bail!(
            "{} {:?}: {}",
            name.display(),
            command.get_args(),
            output.status
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_runner_is_a_name_and_a_count() {
        let values = json!({ "metrics": { "Ir": { "values": { "new": 7648 } } } });
        let mut line = json!({
            "package_dir": "crates/netprocmon-host",
            "function_name": "mounts",
            "id": "lines_100",
            "profiles": [{ "data": { "total": values } }],
        });
        let (name, instructions) = count(&line.to_string()).unwrap();
        assert_eq!(name, "netprocmon-host::mounts::lines_100");
        assert_eq!(instructions, 7648);
        // A stripped program, in which the function was not found.
        line["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"] = 0.into();
        assert!(count(&line.to_string()).is_err());
        line["profiles"].take();
        assert!(count(&line.to_string()).is_err());
    }
}
