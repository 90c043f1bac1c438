//! Names of addresses from a file like `/etc/hosts` (hosts(5)).
//!
//! The file is parsed once and again when it changes; nothing else is asked. Of several names the
//! first, the official one, is taken, and of several lines for an address the first, as the
//! resolver does. Block lists give thousands of names to an address that means nobody: those
//! addresses are left out.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// What is behind this of a file is not read: large block lists have a few megabytes.
const FILE_LIMIT: u64 = 8 << 20;
/// More names than this are not kept.
const NAMES: usize = 100_000;
/// The longest name of the domain name system (RFC 1035).
const NAME_LIMIT: usize = 255;

/// A file of addresses and names, read when it is first asked and after it has changed.
#[derive(Debug)]
pub struct Hosts {
    path: PathBuf,
    modified: Option<SystemTime>,
    names: HashMap<IpAddr, Arc<str>>,
}

impl Hosts {
    /// A file that is not there yet is empty. [`Hosts::refresh`] reads it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            modified: None,
            names: HashMap::new(),
        }
    }

    /// Reads the file where it has changed (by its modification time). One system call where it
    /// has not; ask once a look, not once a name. Answers whether it was read.
    pub fn refresh(&mut self) -> bool {
        let file = fs::metadata(&self.path).ok().filter(fs::Metadata::is_file);
        let modified = file.and_then(|file| file.modified().ok());
        if self.modified == modified {
            return false;
        }
        self.modified = modified;
        let mut bytes = Vec::new();
        // What could be read before an error is as good as the rest.
        let _ = modified
            .and_then(|_| File::open(&self.path).ok())
            .map(|file| file.take(FILE_LIMIT).read_to_end(&mut bytes));
        self.names = parse(&bytes);
        true
    }

    /// The official name of an address; a mapped IPv4 address has that of the IPv4 address.
    #[must_use]
    pub fn name(&self, address: IpAddr) -> Option<&Arc<str>> {
        self.names.get(&address.to_canonical())
    }
}

impl Default for Hosts {
    /// `/etc/hosts`.
    fn default() -> Self {
        Self::new("/etc/hosts")
    }
}

/// `address name alias… # comment` a line; lines that are not understood are skipped.
pub(crate) fn parse(text: &[u8]) -> HashMap<IpAddr, Arc<str>> {
    let mut names = HashMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let Ok(line) = std::str::from_utf8(line) else {
            continue;
        };
        let mut fields = line.split_ascii_whitespace();
        let (Some(address), Some(name)) = (fields.next(), fields.next()) else {
            continue;
        };
        // A scope (`fe80::1%eth0`) cannot be told in what is looked up.
        let address = address.split('%').next().unwrap_or_default();
        let Ok(address) = address.parse::<IpAddr>() else {
            continue;
        };
        if names.len() < NAMES && name.len() <= NAME_LIMIT && !address.is_unspecified() {
            names
                .entry(address.to_canonical())
                .or_insert_with(|| name.into());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn official_names_first_lines_and_no_nonsense() {
        let names = parse(
            b"127.0.0.1 localhost lo\n::1\tlocalhost ip6-localhost # x\n10.0.0.1 a.lan a\n10.0.0.1 b\n\
              #10.0.0.2 c\n10.0.0.3\n0.0.0.0 ads.example\nfe80::1%eth0 router\n::ffff:10.0.0.4 d\n\
              bad name\n10.0.0.5 \xff\n10.0.0.6 e#f\n",
        );
        let name = |address: &str| names.get(&address.parse().unwrap()).map(AsRef::as_ref);
        assert_eq!(name("127.0.0.1"), Some("localhost"));
        assert_eq!(name("::1"), Some("localhost"));
        assert_eq!(name("10.0.0.1"), Some("a.lan"));
        assert_eq!(name("fe80::1"), Some("router"));
        assert_eq!(name("10.0.0.4"), Some("d"));
        assert_eq!(name("10.0.0.6"), Some("e"));
        assert_eq!(names.len(), 6);
    }

    #[test]
    fn read_again_only_when_it_changed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "10.0.0.1 a\n").unwrap();
        let mut hosts = Hosts::new(file.path());
        let address = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(hosts.name(address), None);
        assert!(hosts.refresh());
        assert!(!hosts.refresh());
        assert_eq!(hosts.name(address).unwrap().as_ref(), "a");
        fs::write(&file, "10.0.0.1 b\n").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        file.as_file().set_modified(later).unwrap();
        assert!(hosts.refresh());
        assert_eq!(hosts.name(address).unwrap().as_ref(), "b");
        drop(file);
        assert!(hosts.refresh());
        assert_eq!(hosts.name(address), None);
    }

    #[test]
    fn what_is_no_file_is_empty() {
        let mut hosts = Hosts::new("/dev/zero");
        assert!(!hosts.refresh());
        assert!(hosts.names.is_empty());
    }

    proptest! {
        #[test]
        fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&noise);
        }
    }
}
