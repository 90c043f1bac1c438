//! What several tests of the command need.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The program where anybody may start it: the checkout that it was built in may be root's alone.
pub(crate) struct ForAnybody(TempDir);

impl ForAnybody {
    pub(crate) fn new() -> Self {
        let built = assert_cmd::cargo::cargo_bin!("netprocmon");
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let open = Self(directory);
        // A link costs nothing, where it is one file system.
        if fs::hard_link(built, open.program()).is_err() {
            copy(built, &open.program());
        }
        open
    }

    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.directory().join("netprocmon")
    }
}

/// Copies a program that is started next, in a process of its own: one that another thread of the test
/// starts meanwhile would hold the copy open for writing, and nobody may execute it ("Text file busy").
pub(crate) fn copy(program: &Path, to: &Path) {
    let copied = Command::new("cp").args([program, to]).status().unwrap();
    assert!(copied.success());
}
