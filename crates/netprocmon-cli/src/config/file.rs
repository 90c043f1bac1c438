//! Where the file is, and reading it without harm: only a regular file (no pipe makes us wait), and
//! not much of it. It is read with the user's own rights, so that no mistake in it tells of what the
//! user may not read.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::exit::{Failure, Status};

/// Bytes of an honest file.
const LONGEST: u64 = 64 * 1024;
const NAME: &str = "netprocmon/config.toml";

/// The file, where there is one, and its text.
pub(super) fn find(
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<(PathBuf, String)>> {
    match place(variable).filter(|path| path.exists()) {
        None => Ok(None),
        Some(path) => {
            let text = read(&path)?;
            Ok(Some((path, text)))
        }
    }
}

/// Where it would be, by the environment (XDG Base Directory Specification).
fn place(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |text: String| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    let directory = variable("XDG_CONFIG_HOME").and_then(absolute);
    let directory =
        directory.or_else(|| Some(variable("HOME").and_then(absolute)?.join(".config")));
    directory.map(|directory| directory.join(NAME))
}

/// The text of a file.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let failure = |why: String| {
        Failure::new(
            Status::Usage,
            format!("cannot read {}: {why}", path.display()),
        )
        .with_remedy("give another file with --config, or none")
    };
    let io = |error: io::Error| failure(error.to_string());
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let mut options = File::options();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path).map_err(io)?;
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() {
        return Err(failure("it is no regular file".to_owned()).into());
    }
    if facts.len() > LONGEST {
        return Err(failure(format!("it is longer than {LONGEST} bytes")).into());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(io)?;
    Ok(String::from_utf8(bytes).map_err(|_| failure("it is not UTF-8".to_owned()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_with(all: &[(&str, &str)]) -> Option<String> {
        let variable = |name: &str| {
            let mut all = all.iter();
            all.find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        place(variable).map(|path| path.display().to_string())
    }

    #[test]
    fn below_the_configuration_directory_or_home() {
        let is = |all: &[(&str, &str)], expected: &str| {
            assert_eq!(place_with(all).as_deref(), Some(expected));
        };
        is(
            &[("HOME", "/home/ana")],
            "/home/ana/.config/netprocmon/config.toml",
        );
        is(
            &[("XDG_CONFIG_HOME", "/x"), ("HOME", "/y")],
            "/x/netprocmon/config.toml",
        );
        is(
            &[("XDG_CONFIG_HOME", "x"), ("HOME", "/y")],
            "/y/.config/netprocmon/config.toml",
        );
        assert_eq!(
            place_with(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "")]),
            None
        );
    }

    #[test]
    fn only_a_regular_file_is_read_and_only_a_short_one() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("good"), "delay = 1\n").unwrap();
        assert_eq!(read(&at("good")).unwrap(), "delay = 1\n");
        std::fs::write(at("long"), "#".repeat(70_000)).unwrap();
        std::fs::write(at("binary"), b"\xff").unwrap();
        let pipe = rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        );
        pipe.unwrap();
        for (name, why) in [
            ("long", "longer"),
            ("binary", "UTF-8"),
            (".", "regular"),
            // It does not wait for a writer.
            ("pipe", "regular"),
            ("missing", "No such file"),
        ] {
            let error = read(&at(name)).unwrap_err().to_string();
            assert!(error.contains(why), "{name}: {error}");
        }
    }
}
