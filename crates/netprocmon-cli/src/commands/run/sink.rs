//! Where a run's report goes. A file is opened before the command starts, so that a bad path costs
//! nobody a long run.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use netprocmon::Snapshot;
use netprocmon::units::Units;

use super::outcome::{self, Outcome};
use crate::exit::{Failure, Status};
use crate::flags::meaning::{Destination, Format, Report};
use crate::json;
use crate::render::{self, Terminal};

/// An open destination, and what is to be written there.
#[derive(Debug)]
pub(crate) enum Sink {
    Nowhere,
    Stderr(Format, Units),
    File(File, Format, Units),
}

impl Sink {
    /// Opens the destination; a file is emptied.
    pub(crate) fn open(report: &Report) -> anyhow::Result<Self> {
        Ok(match report {
            Report::None => Self::Nowhere,
            Report::To(Destination::Stderr, format, units) => Self::Stderr(*format, *units),
            Report::To(Destination::File(path), format, units) => {
                let file = File::create(path).map_err(|error| cannot_open(path, &error))?;
                Self::File(file, *format, *units)
            }
        })
    }

    /// Writes the report. A reader that went away is nobody's failure.
    pub(crate) fn write(self, tree: &Snapshot, outcome: &Outcome<'_>) -> anyhow::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stderr(format, units) => {
                let mut out = io::stderr().lock();
                write(
                    &mut out,
                    format,
                    units,
                    Terminal::of_stderr(),
                    tree,
                    outcome,
                )
            }
            Self::File(mut file, format, units) => {
                write(&mut file, format, units, Terminal::NONE, tree, outcome)
            }
        }
        .context("write the report")
    }
}

fn write(
    out: &mut impl Write,
    format: Format,
    units: Units,
    terminal: Terminal,
    tree: &Snapshot,
    outcome: &Outcome<'_>,
) -> io::Result<()> {
    match format {
        Format::Json => json::write_line(out, &outcome::line(tree, outcome))?,
        Format::Text => {
            let text = render::run::report(tree, outcome, units, terminal);
            json::write_text(out, text.as_bytes())?
        }
    };
    Ok(())
}

/// A path that cannot be a file is a mistake in the command line; the rest is bad luck.
fn cannot_open(path: &Path, error: &io::Error) -> Failure {
    let status = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => {
            Status::Usage
        }
        _ => Status::Failure,
    };
    Failure::new(
        status,
        format!("cannot write the report to {}: {error}", path.display()),
    )
    .with_remedy("the command was not started; give -o a file in a directory that you may write to")
}
