//! Writes an export into the current directory: a file that was not there, whatever anybody has put
//! in its place.
//!
//! The directory may be anybody's. The file is made anew (`O_EXCL`, which follows no link), and only
//! its owner can read it (command lines may hold secrets).

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::Export;

/// Names that are tried where one is taken.
const TRIES: u32 = 100;

/// Writes it; its name.
pub(crate) fn write(export: &Export) -> io::Result<String> {
    write_in(CWD, export)
}

fn write_in(directory: impl AsFd, export: &Export) -> io::Result<String> {
    for number in 1..=TRIES {
        let name = match number {
            1 => format!("{}.{}", export.stem, export.extension),
            number => format!("{}-{number}.{}", export.stem, export.extension),
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let flags = flags | OFlags::NOFOLLOW;
        let made = openat(&directory, Path::new(&name), flags, Mode::RUSR | Mode::WUSR);
        let file = match made {
            Ok(file) => file,
            Err(Errno::EXIST) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut file = File::from(file);
        file.write_all(&export.contents)?;
        return Ok(name);
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!(
            "{}.{} and {TRIES} names like it are taken",
            export.stem, export.extension
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn export() -> Export {
        Export {
            stem: "view".to_owned(),
            extension: "csv",
            contents: b"a,b\n".to_vec(),
        }
    }

    #[test]
    fn nothing_that_is_there_is_touched_and_no_link_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("precious"), "precious").unwrap();
        symlink(at("precious"), at("view.csv")).unwrap();
        symlink(at("nowhere"), at("view-2.csv")).unwrap();
        let open = File::open(directory.path()).unwrap();
        assert_eq!(write_in(&open, &export()).unwrap(), "view-3.csv");
        assert_eq!(fs::read(at("view-3.csv")).unwrap(), b"a,b\n");
        assert_eq!(fs::read(at("precious")).unwrap(), b"precious");
        assert!(!at("nowhere").exists());
        let mode = fs::metadata(at("view-3.csv")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
