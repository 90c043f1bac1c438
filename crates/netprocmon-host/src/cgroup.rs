//! The cgroup v2 hierarchy: where it is mounted, whether what we see is its real root, and the
//! path of a cgroup of which BPF gave the id.
//!
//! No cgroup is made, changed or entered here. Ids to paths need `open_by_handle_at(2)` and with
//! it `CAP_DAC_READ_SEARCH`.

use std::ffi::OsStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::{HostError, mountinfo};

/// The inode number of the hierarchy's root, for the life of the system (`kernfs_create_root`).
const ROOT_INODE: u64 = 1;

/// Where cgroup v2 is mounted: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on a hybrid host, or
/// anywhere else. `None` where it is not.
///
/// Of several mounts, one that shows the real root is taken before one that shows only a part of
/// the hierarchy (a container's).
#[must_use]
pub fn mount_point() -> Option<PathBuf> {
    let mounts = candidates(mountinfo::read());
    let real = mounts.iter().position(|point| is_real_root(point));
    mounts.into_iter().nth(real.unwrap_or(0))
}

/// Mounts of all of the hierarchy before mounts of a part, else in the order they were made.
fn candidates(mounts: Vec<mountinfo::Mount>) -> Vec<PathBuf> {
    let unified = mounts.into_iter().filter(|mount| mount.fstype == "cgroup2");
    let mut unified: Vec<_> = unified.collect();
    unified.sort_by_key(|mount| mount.root != Path::new("/"));
    unified.into_iter().map(|mount| mount.point).collect()
}

/// Whether this directory of a cgroup2 mount is the root of the host's hierarchy, and not the root
/// of a cgroup namespace (a container's own cgroup).
#[must_use]
pub fn is_real_root(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.ino() == ROOT_INODE)
}

/// A descriptor of the root of the hierarchy where nothing mounts it: a mount that is attached
/// nowhere and goes away with the descriptor.
///
/// Needs `CAP_SYS_ADMIN` and kernel 5.2 (fsopen(2)). In a cgroup namespace the root is that of the
/// namespace.
pub fn mount_privately() -> io::Result<OwnedFd> {
    let fail =
        |operation| move |errno| io::Error::from(HostError::new(operation, "cgroup2", errno));
    let context =
        fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC).map_err(fail("open file system"))?;
    fsconfig_create(context.as_fd()).map_err(fail("configure file system"))?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    let mount = fsmount(context.as_fd(), flags, attributes).map_err(fail("mount"))?;
    // What fsmount(2) gives is `O_PATH`, which open_by_handle_at(2) does not take.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(&mount, ".", flags, Mode::empty()).map_err(fail("open the root of"))
}

/// The path of a cgroup from the root of the hierarchy ("/" for the root itself), by the id that
/// `bpf_get_current_cgroup_id` gives.
///
/// `mount` is any open file of the cgroup2 mount, not `O_PATH`. `None` where the cgroup is gone,
/// lies outside of the mount, or handles may not be opened (no `CAP_DAC_READ_SEARCH`).
#[must_use]
pub fn path_of_id(mount: BorrowedFd<'_>, id: u64) -> Option<String> {
    let base = fd_path(mount)?;
    let path = fd_path(open_by_id(mount, id)?.as_fd())?;
    let relative = path.strip_prefix(&base).ok()?;
    Some(format!("/{}", relative.to_string_lossy()))
}

/// A kernfs file handle: `struct file_handle` of `open_by_handle_at(2)` with the id as its body.
#[repr(C)]
struct KernfsHandle {
    bytes: u32,
    kind: i32,
    id: u64,
}

/// `enum fid_type` (include/linux/exportfs.h).
const FILEID_KERNFS: i32 = 0xfe;

fn open_by_id(mount: BorrowedFd<'_>, id: u64) -> Option<OwnedFd> {
    let mut handle = KernfsHandle {
        bytes: u32::try_from(size_of::<u64>()).ok()?,
        kind: FILEID_KERNFS,
        id,
    };
    // SAFETY: the handle has the layout of `struct file_handle` with eight bytes of body, as its
    // `bytes` field says, and outlives the call; the descriptor is borrowed for the call.
    let fd = unsafe {
        libc::open_by_handle_at(
            mount.as_raw_fd(),
            (&raw mut handle).cast(),
            libc::O_PATH | libc::O_CLOEXEC,
        )
    };
    // SAFETY: the kernel just returned this descriptor to us and to nobody else.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The path that the kernel knows for a descriptor; of an unlinked one, `None`.
fn fd_path(fd: BorrowedFd<'_>) -> Option<PathBuf> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    let deleted = link.as_os_str().as_bytes().ends_with(b" (deleted)");
    (!deleted).then_some(link)
}

/// The id of a cgroup by its directory: its inode number, on every 64-bit kernel from 5.5 on.
#[must_use]
pub fn id_of_path(mount: &Path, path: &str) -> Option<u64> {
    let relative = path.trim_start_matches('/');
    let directory = mount.join(OsStr::new(relative));
    Some(directory.metadata().ok()?.ino())
}

/// The same, below an open directory of the hierarchy's root. `None` for what is not there, and for
/// the paths with `..` that stand for what lies outside of a cgroup namespace.
#[must_use]
pub fn id_at(mount: BorrowedFd<'_>, path: &str) -> Option<u64> {
    if path.split('/').any(|part| part == "..") {
        return None;
    }
    let relative = match path.trim_start_matches('/') {
        "" => ".",
        relative => relative,
    };
    let directory = statat(mount, relative, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(directory.st_ino)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn whole_mounts_come_before_parts() {
        let text = b"1 0 0:1 /docker/x /a rw - cgroup2 none rw\n\
            2 0 0:1 / /b rw - cgroup cgroup rw\n\
            3 0 0:1 / /c\\040d rw - cgroup2 none rw\n";
        let found = candidates(mountinfo::parse(text));
        assert_eq!(found, [Path::new("/c d"), Path::new("/a")]);
    }

    #[test]
    fn an_ordinary_directory_is_no_root() {
        assert!(!is_real_root(&std::env::temp_dir()));
        assert!(!is_real_root(Path::new("/nowhere at all")));
    }

    /// A cgroup of this test's own under the hierarchy's root, removed at the end.
    struct Own(PathBuf);

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = fs::remove_dir(&self.0);
        }
    }

    #[test]
    #[ignore = "needs root: cargo xtask test runs it"]
    fn ids_become_paths_and_the_dead_none() {
        let point = mount_point().expect("cgroup v2 is mounted");
        let name = format!("netprocmon test {}", std::process::id());
        let own = Own(point.join(&name));
        fs::create_dir(&own.0).unwrap();
        let mount = File::open(&point).unwrap();
        let id = id_of_path(&point, &name).unwrap();
        assert_eq!(id_at(mount.as_fd(), &format!("/{name}")), Some(id));
        assert_eq!(id_at(mount.as_fd(), &format!("/x/../{name}")), None);
        assert_eq!(id_at(mount.as_fd(), "/"), id_of_path(&point, "/"));
        assert_eq!(path_of_id(mount.as_fd(), id), Some(format!("/{name}")));
        assert_eq!(path_of_id(mount.as_fd(), u64::MAX), None);
        if is_real_root(&point) {
            assert_eq!(path_of_id(mount.as_fd(), ROOT_INODE).as_deref(), Some("/"));
        }
        drop(own);
        assert_eq!(path_of_id(mount.as_fd(), id), None);
    }

    #[test]
    #[ignore = "needs root: cargo xtask test runs it"]
    fn a_private_mount_shows_the_hierarchy_and_leaves_no_trace() {
        let before = fs::read("/proc/self/mountinfo").unwrap();
        let root = mount_privately().unwrap();
        assert_eq!(fs::read("/proc/self/mountinfo").unwrap(), before);
        let stat = rustix::fs::fstat(&root).unwrap();
        assert!(openat(&root, "cgroup.procs", OFlags::RDONLY, Mode::empty()).is_ok());
        if stat.st_ino == ROOT_INODE {
            assert_eq!(path_of_id(root.as_fd(), ROOT_INODE).as_deref(), Some("/"));
        }
    }
}
