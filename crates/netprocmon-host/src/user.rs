//! User ids to names, from `/etc/passwd`.
//!
//! The file is parsed once and again when it changes. No NSS: that would load somebody's shared
//! objects into a privileged process, and may ask the network. A user that only LDAP knows is a
//! number here. Homes are asked for once in a while, and of other files too: they are not kept.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

static USERS: Mutex<Users> = Mutex::new(Users::EMPTY);

/// The name of a user; `None` where `/etc/passwd` has none.
#[must_use]
pub fn name(uid: u32) -> Option<Arc<str>> {
    // A panic elsewhere cannot have left a half-made table: it is replaced as a whole.
    let mut users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
    users.refresh(Path::new("/etc/passwd"));
    users.names.as_ref()?.get(&uid).cloned()
}

/// The home directory of a user, by a file like `/etc/passwd`.
#[must_use]
pub fn home(passwd: &Path, uid: u32) -> Option<String> {
    let text = fs::read(passwd).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        let of: u32 = fields.next()?.parse().ok()?;
        (of == uid).then(|| fields.nth(2).map(str::to_owned))?
    })
}

#[derive(Debug)]
struct Users {
    modified: Option<SystemTime>,
    names: Option<HashMap<u32, Arc<str>>>,
}

impl Users {
    const EMPTY: Self = Self {
        modified: None,
        names: None,
    };

    fn refresh(&mut self, path: &Path) {
        let modified = fs::metadata(path).and_then(|file| file.modified()).ok();
        if self.names.is_some() && self.modified == modified {
            return;
        }
        let text = fs::read(path).unwrap_or_default();
        self.names = Some(parse(&String::from_utf8_lossy(&text)));
        self.modified = modified;
    }
}

/// `name:password:uid:…` a line (passwd(5)); the first entry of a uid wins, as with `getpwuid`.
pub(crate) fn parse(text: &str) -> HashMap<u32, Arc<str>> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(Ok(uid))) = (fields.next(), fields.nth(1).map(str::parse)) else {
            continue;
        };
        if !name.is_empty() && !name.starts_with('#') {
            names.entry(uid).or_insert_with(|| name.into());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_entry_wins_and_bad_lines_are_skipped() {
        let names = parse(
            "root:x:0:0::/:/sh\ntoor:x:0:0::/:/sh\n#x:x:5:\nbad\n:x:7:\nana:x:1000:1\n+::::\nq:x:-1:\n",
        );
        assert_eq!(names.len(), 2);
        assert_eq!(names[&0].as_ref(), "root");
        assert_eq!(names[&1000].as_ref(), "ana");
    }

    #[test]
    fn homes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "bad\nana:x:5:5:Ana:/home/ana:/bin/sh\nb:x:6\n").unwrap();
        assert_eq!(home(file.path(), 5).as_deref(), Some("/home/ana"));
        assert_eq!(home(file.path(), 6), None);
        assert_eq!(home(Path::new("/nowhere"), 5), None);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "ana:x:5:\n").unwrap();
        let mut users = Users::EMPTY;
        users.refresh(file.path());
        assert_eq!(users.names.as_ref().unwrap()[&5].as_ref(), "ana");
        fs::write(&file, "bob:x:5:\n").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        file.as_file().set_modified(later).unwrap();
        users.refresh(file.path());
        assert_eq!(users.names.as_ref().unwrap()[&5].as_ref(), "bob");
    }
}
