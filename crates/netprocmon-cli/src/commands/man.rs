//! `netprocmon man`: the manual pages, from the same definition as the help.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::commands::print;
use crate::exit::{Failure, Status};
use crate::flags::typed::{self, Cli};

/// Prints one page, or writes all of them into a directory.
pub(crate) fn man(typed: &typed::Man) -> anyhow::Result<Status> {
    if let Some(directory) = &typed.directory {
        write_all(directory)?;
        return Ok(Status::Success);
    }
    let page = match &typed.page {
        None => page(commands_of(Cli::command()).swap_remove(0))?,
        Some(name) => {
            let full = format!("netprocmon-{name}");
            let command = commands_of(Cli::command())
                .into_iter()
                .find(|command| command.get_name() == full);
            page(command.ok_or_else(|| {
                Failure::new(
                    Status::NotFound,
                    format!("no command {name:?} to show the page of"),
                )
                .with_remedy("`netprocmon help` lists the commands")
            })?)?
        }
    };
    print(&page)?;
    Ok(Status::Success)
}

fn write_all(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("create directory {}", directory.display()))?;
    for command in commands_of(Cli::command()) {
        let file = directory.join(format!("{}.1", command.get_name()));
        fs::write(&file, page(command)?).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// The program, then each of its commands, under the names that their pages have.
fn commands_of(mut program: clap::Command) -> Vec<clap::Command> {
    program.build();
    let subcommands: Vec<_> = program
        .get_subcommands()
        .map(|command| {
            let name = format!("netprocmon-{}", command.get_name());
            // clap wants names that live as long as the program; there are six of them, once.
            command.clone().name(&*name.leak())
        })
        .collect();
    [program].into_iter().chain(subcommands).collect()
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command)
        .manual("netprocmon manual")
        .render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_page() {
        let directory = tempfile::tempdir().unwrap();
        write_all(directory.path()).unwrap();
        for name in [
            "",
            "-run",
            "-watch",
            "-ps",
            "-ports",
            "-man",
            "-completions",
        ] {
            let page = fs::read_to_string(directory.path().join(format!("netprocmon{name}.1")));
            assert!(page.unwrap().contains(".SH NAME"), "{name}");
        }
    }

    #[test]
    fn the_page_of_run() {
        let run = commands_of(Cli::command())
            .into_iter()
            .find(|command| command.get_name() == "netprocmon-run");
        insta::assert_snapshot!(String::from_utf8(page(run.unwrap()).unwrap()).unwrap());
    }
}
