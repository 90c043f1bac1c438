//! Where the file is, and reading it without harm.
//!
//! It may be read by root for somebody else: under sudo, the file is that of the user who called,
//! who could put anything in its place. So only a regular file that belongs to that user is read
//! (no link to another's file gets its lines into an error message, no pipe makes us wait), and not
//! much of it.

use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use netprocmon::host::user;

use crate::exit::{Failure, Status};

/// Bytes of an honest file.
const LONGEST: u64 = 64 * 1024;
const NAME: &str = "netprocmon/config.toml";

/// The file that there is and its text. The first of: that of the user who called sudo, ours.
pub(super) fn find() -> anyhow::Result<Option<(PathBuf, String)>> {
    let own = rustix::process::getuid().as_raw();
    for path in candidates(own, |name| env::var(name).ok(), &|uid| {
        user::home(Path::new("/etc/passwd"), uid)
    }) {
        if path.exists() {
            let text = read(&path)?;
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

/// Where it may be, by the environment (XDG Base Directory Specification).
fn candidates(
    own: u32,
    variable: impl Fn(&str) -> Option<String>,
    home: &dyn Fn(u32) -> Option<String>,
) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let absolute = |text: String| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    if let Some(caller) = caller(own, &variable)
        && let Some(home) = home(caller).and_then(absolute)
    {
        all.push(home.join(".config").join(NAME));
    }
    let own = variable("XDG_CONFIG_HOME").and_then(absolute);
    let own = own.or_else(|| Some(variable("HOME").and_then(absolute)?.join(".config")));
    all.extend(own.map(|own| own.join(NAME)));
    all
}

/// The user who called sudo.
fn caller(own: u32, variable: impl Fn(&str) -> Option<String>) -> Option<u32> {
    (own == 0)
        .then(|| variable("SUDO_UID")?.parse().ok())
        .flatten()
}

/// The text of a file that belongs to us or to the user who called sudo.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let own = rustix::process::getuid().as_raw();
    let caller = caller(own, |name| env::var(name).ok());
    read_of(path, &[Some(own), caller])
}

fn read_of(path: &Path, owners: &[Option<u32>]) -> anyhow::Result<String> {
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
    if !owners.contains(&Some(facts.uid())) {
        return Err(failure(format!("it belongs to the user {}", facts.uid())).into());
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

    fn places(own: u32, all: &[(&str, &str)]) -> Vec<String> {
        let variable = |name: &str| {
            let mut all = all.iter();
            all.find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let home = |uid| (uid == 1000).then(|| "/home/ana".to_owned());
        let all = candidates(own, variable, &home).into_iter();
        all.map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_callers_file_under_sudo_then_ours() {
        let of_ana = "/home/ana/.config/netprocmon/config.toml";
        let of_root = "/root/.config/netprocmon/config.toml";
        assert_eq!(places(0, &[("HOME", "/root")]), [of_root]);
        assert_eq!(
            places(0, &[("HOME", "/root"), ("SUDO_UID", "1000")]),
            [of_ana, of_root]
        );
        // Nobody becomes another by a variable.
        assert_eq!(
            places(1001, &[("HOME", "/root"), ("SUDO_UID", "1000")]),
            [of_root]
        );
        assert_eq!(
            places(0, &[("XDG_CONFIG_HOME", "/x"), ("HOME", "/root")]),
            ["/x/netprocmon/config.toml"]
        );
        assert_eq!(
            places(0, &[("XDG_CONFIG_HOME", "relative"), ("HOME", "")]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn only_a_regular_file_of_ours_is_read_and_only_a_short_one() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let own = Some(rustix::process::getuid().as_raw());
        std::fs::write(at("good"), "delay = 1\n").unwrap();
        assert_eq!(read_of(&at("good"), &[own]).unwrap(), "delay = 1\n");
        let others = read_of(&at("good"), &[own.map(|own| own + 1), None]);
        assert!(
            others
                .unwrap_err()
                .to_string()
                .contains("belongs to the user")
        );
        std::fs::write(at("long"), "#".repeat(70_000)).unwrap();
        assert!(
            read_of(&at("long"), &[own])
                .unwrap_err()
                .to_string()
                .contains("longer")
        );
        std::fs::write(at("binary"), b"\xff").unwrap();
        assert!(
            read_of(&at("binary"), &[own])
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
        assert!(
            read_of(directory.path(), &[own])
                .unwrap_err()
                .to_string()
                .contains("regular")
        );
        let pipe = rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        );
        pipe.unwrap();
        // It does not wait for a writer.
        assert!(
            read_of(&at("pipe"), &[own])
                .unwrap_err()
                .to_string()
                .contains("regular")
        );
    }
}
