//! The program file of a process, and what has become of it.
//!
//! `/proc/PID/exe` (`proc_pid_exe(5)`) leads to the file itself, whatever its path leads to by
//! now. Where the file has no name any more the kernel says so; whether another file has taken its
//! place is found by looking there, in the process's own root and without leaving it.
//!
//! In a process that has changed its root without a mount namespace (chroot(2)) the path is that of
//! the outside, so its upgraded program is taken for a deleted one.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use netprocmon_model::ProgramFile;
use rustix::fs::{
    AtFlags, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

/// What the kernel puts behind the path of a file without a name (`d_path`, `fs/d_path.c`).
const DELETED: &[u8] = b" (deleted)";

/// The path (without the kernel's note) and the fate of the file, by the process's `/proc` directory.
pub(super) fn read(directory: &OwnedFd) -> (Option<Arc<str>>, Option<ProgramFile>) {
    let Ok(link) = readlinkat(directory, "exe", Vec::new()) else {
        return (None, None);
    };
    let link = link.as_bytes();
    let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into());
    let Some(path) = link.strip_suffix(DELETED) else {
        return (text(link), None);
    };
    let Some((file, root)) = file_and_root(directory) else {
        return (text(path), None);
    };
    // A file may really be called so.
    if at(&root, link).is_ok_and(|there| same(&there, &file)) {
        return (text(link), None);
    }
    let fate = match at(&root, path) {
        Ok(there) => (!same(&there, &file)).then_some(ProgramFile::Replaced),
        Err(Errno::NOENT | Errno::NOTDIR) => Some(ProgramFile::Deleted),
        Err(_) => None,
    };
    (text(path), fate)
}

fn file_and_root(directory: &OwnedFd) -> Option<(Stat, OwnedFd)> {
    let file = statat(directory, "exe", AtFlags::empty()).ok()?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(directory, "root", flags, Mode::empty()).ok()?;
    Some((file, root))
}

/// What stands at a path below a root; openat2(2) needs kernel 5.6.
fn at(root: &OwnedFd, path: &[u8]) -> Result<Stat, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let path = Path::new(OsStr::from_bytes(path));
    fstat(openat2(root, path, flags, Mode::empty(), resolve)?)
}

fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
