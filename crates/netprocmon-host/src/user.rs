//! Users and their groups, from `/etc/passwd` and `/etc/group`.
//!
//! No NSS: that would load somebody's shared objects into a privileged process, and may ask the
//! network. A user that only LDAP knows is a number here. Names, which are asked for with every
//! process, are parsed once and again when the file changes; accounts are asked for once in a
//! while, and of other files too: they are not kept.

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

/// A line of `/etc/passwd` (passwd(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// The home directory.
    pub home: String,
    /// The shell; empty for `/bin/sh`.
    pub shell: String,
}

impl Account {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| is_name(name))?;
        Some(Self {
            name: name.to_owned(),
            uid: fields.nth(1)?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
            home: fields.nth(1)?.to_owned(),
            shell: fields.next().unwrap_or_default().to_owned(),
        })
    }

    /// That of a user id, by a file like `/etc/passwd`.
    #[must_use]
    pub fn of_uid(passwd: &Path, uid: u32) -> Option<Self> {
        Self::find(passwd, |account| account.uid == uid)
    }

    /// That of a login name or, where there is no such name, of a user id in digits.
    #[must_use]
    pub fn of_name_or_uid(passwd: &Path, text: &str) -> Option<Self> {
        Self::find(passwd, |account| account.name == text)
            .or_else(|| Self::of_uid(passwd, text.parse().ok()?))
    }

    fn find(passwd: &Path, is_meant: impl Fn(&Self) -> bool) -> Option<Self> {
        let text = fs::read(passwd).ok()?;
        let text = String::from_utf8_lossy(&text);
        text.lines().filter_map(Self::parse).find(is_meant)
    }

    /// Its groups by a file like `/etc/group` (group(5)), the primary one first.
    #[must_use]
    pub fn groups(&self, group: &Path) -> Vec<u32> {
        let text = fs::read(group).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let member_of = text.lines().filter_map(|line| {
            let mut fields = line.split(':').skip(2);
            let gid = fields.next()?.parse().ok()?;
            let mut members = fields.next()?.split(',');
            (gid != self.gid && members.any(|member| member == self.name)).then_some(gid)
        });
        std::iter::once(self.gid).chain(member_of).collect()
    }
}

/// Comments and the old `+` entries of NIS are none.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['#', '+', '-'])
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
        if is_name(name) {
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
    fn accounts_and_their_groups() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text =
            "bad\n+::5:5:::\nana:x:5:50:Ana:/home/ana:/bin/sh\nb:x:6\n5:x:7:7::/:\nc:x:8:8::/c";
        fs::write(&file, text).unwrap();
        let ana = Account::of_uid(file.path(), 5).unwrap();
        assert_eq!((ana.name.as_str(), ana.gid), ("ana", 50));
        assert_eq!(
            (ana.home.as_str(), ana.shell.as_str()),
            ("/home/ana", "/bin/sh")
        );
        assert_eq!(
            Account::of_name_or_uid(file.path(), "ana"),
            Some(ana.clone())
        );
        // A name of digits comes before the user with that number, as chown(1) takes it.
        let uid = |text| Account::of_name_or_uid(file.path(), text).map(|one| one.uid);
        assert_eq!((uid("5"), uid("8"), uid("6")), (Some(7), Some(8), None));
        assert_eq!(Account::of_uid(Path::new("/nowhere"), 5), None);
        let group = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            &group,
            "x:x:50:ana\nbad\nwheel:x:10:bob,ana\nnot:x:11:anabel\nq:x:-1:ana\n",
        )
        .unwrap();
        assert_eq!(ana.groups(group.path()), [50, 10]);
        assert_eq!(ana.groups(Path::new("/nowhere")), [50]);
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
