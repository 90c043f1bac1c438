//! `cargo xtask kernels`: boots other kernels than this machine's, as Debian serves them, and runs
//! the command and a few of the lab's rows in each; `--report docs/kernels.md` writes what came out.
//!
//! A guest is QEMU without acceleration, a file system in memory, and no network; it has what was
//! built here for this machine, so what is tested is what users get. Kernels, QEMU and busybox are
//! fetched with apt from the mirror that is configured here, into the target directory: nothing is
//! installed, and nothing that is installed is changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::lab;
use crate::packages::{TESTS, try_install};
use crate::shell::target_directory;

mod archive;
mod console;
mod guest;
mod image;
mod support;

use archive::Archive;
use console::Said;

/// Which kernels, and what to do in them.
#[derive(Debug, Default, Args)]
pub(crate) struct Kernels {
    /// Only this kernel (5.10, 6.1, 6.12, newest); may be given more than once
    #[arg(long, value_name = "KERNEL")]
    only: Vec<String>,
    /// Rows of the lab to run instead of the usual few; by a part of their names
    #[arg(long, value_name = "PATTERN")]
    row: Vec<String>,
    /// Write the support table, as docs/kernels.md has it
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the guests' consoles
    #[arg(short, long)]
    verbose: bool,
}

/// A line of kernels that Debian maintains. The newest is whatever it serves.
const LINES: [&str; 4] = ["5.10", "6.1", "6.12", "newest"];

/// One kernel's result.
#[derive(Debug)]
struct Tried {
    line: &'static str,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    /// It was booted, and said this.
    Booted(Said),
    /// It did not come to its end, for this reason.
    Broke(String),
    /// It could not be had, for this reason; it has not been tested.
    Skipped(String),
}

impl Kernels {
    /// One kernel.
    pub(crate) fn only(line: &str) -> Self {
        Self {
            only: vec![line.to_owned()],
            ..Self::default()
        }
    }

    /// Fails when a row failed, or when no kernel could be tested at all.
    pub(crate) fn run(&self) -> Result<()> {
        let cannot = |path: &Path| format!("write {}", path.display());
        if let Some(path) = &self.report {
            // That it cannot be is said before a quarter of an hour has passed.
            let mut file = fs::OpenOptions::new();
            let opened = file.append(true).create(true).open(path);
            opened.with_context(|| cannot(path))?;
        }
        let tried = self.try_all()?;
        let failed: Vec<_> = tried.iter().filter(|one| one.failed()).collect();
        print!("{}", support::table(&tried));
        if let Some(path) = &self.report {
            fs::write(path, support::markdown(&tried)).with_context(|| cannot(path))?;
        }
        if !failed.is_empty() {
            let lines: Vec<_> = failed.iter().map(|one| one.line).collect();
            bail!("not as it has to be on {}", lines.join(", "));
        }
        if !tried
            .iter()
            .any(|one| !matches!(one.outcome, Outcome::Skipped(_)))
        {
            bail!("no kernel could be fetched: nothing has been tested");
        }
        Ok(())
    }

    /// For CI: a kernel that cannot be had is said, and is no failure of the commit.
    pub(crate) fn run_where_they_can_be_had(&self) -> Result<()> {
        let tried = self.try_all()?;
        print!("{}", support::table(&tried));
        match tried.iter().find(|one| one.failed()) {
            Some(one) => bail!("not as it has to be on {}", one.line),
            None => Ok(()),
        }
    }

    fn try_all(&self) -> Result<Vec<Tried>> {
        let known = |name: &String| LINES.contains(&name.as_str());
        if let Some(name) = self.only.iter().find(|name| !known(name)) {
            bail!("{name} is none of {}", LINES.join(", "));
        }
        let wanted = |line: &&str| self.only.is_empty() || self.only.iter().any(|one| one == line);
        let lines: Vec<_> = LINES.into_iter().filter(wanted).collect();
        let directory = target_directory()?.join("kernels");
        let archive = match Archive::open(&directory) {
            Ok(archive) => archive,
            Err(error) => {
                let reason = format!("{error:#}");
                return Ok(lines
                    .into_iter()
                    .map(|line| skipped(line, &reason))
                    .collect());
            }
        };
        try_install(TESTS);
        lab::build(lab::LAB)?;
        lines
            .into_iter()
            .map(|line| self.try_one(&archive, line))
            .collect()
    }

    fn try_one(&self, archive: &Archive, line: &'static str) -> Result<Tried> {
        let kernel = match archive.kernel(line) {
            Ok(kernel) => kernel,
            Err(error) => return Ok(skipped(line, &format!("{error:#}"))),
        };
        let rows: Vec<&str> = if self.row.is_empty() {
            guest::usual_rows()
        } else {
            self.row.iter().map(String::as_str).collect()
        };
        let image = image::make(archive, &kernel, &guest::script(&rows))?;
        // One that hangs is no reason to lose what the others have told.
        let outcome = match guest::boot(archive, &kernel, &image, self.verbose) {
            Ok(said) => Outcome::Booted(said),
            Err(error) => Outcome::Broke(format!("Linux {}: {error:#}", kernel.release)),
        };
        Ok(Tried { line, outcome })
    }
}

impl Tried {
    fn failed(&self) -> bool {
        match &self.outcome {
            Outcome::Booted(said) => !said.is_good(source_on(self.line)),
            Outcome::Broke(_) => true,
            Outcome::Skipped(_) => false,
        }
    }
}

/// What has to count there. The verifier of 5.10 takes none of our programs; what packets say it
/// tells as well as any.
fn source_on(line: &str) -> &'static str {
    if line == "5.10" { "packet" } else { "ebpf" }
}

fn skipped(line: &'static str, reason: &str) -> Tried {
    eprintln!("xtask: SKIPPED: Linux {line} has not been tested: {reason}");
    Tried {
        line,
        outcome: Outcome::Skipped(reason.to_owned()),
    }
}
