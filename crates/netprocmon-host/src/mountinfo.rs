//! `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`), a line a mount. Pure but for [`read`].

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One mount, as much of it as is used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Field 4: what of the file system is mounted; `/` for all of it.
    pub(crate) root: PathBuf,
    /// Field 5: where, from the root of this process.
    pub(crate) point: PathBuf,
    /// The file system's type.
    pub(crate) fstype: String,
}

/// All mounts that this process sees; none where `/proc` cannot be read.
pub(crate) fn read() -> Vec<Mount> {
    parse(&std::fs::read("/proc/self/mountinfo").unwrap_or_default())
}

/// Lines that are not understood are skipped.
pub(crate) fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// `id parent major:minor root point options [optional…] - fstype source superoptions`
fn line(text: &[u8]) -> Option<Mount> {
    let mut fields = text.split(|byte| *byte == b' ');
    let root = fields.nth(3)?;
    let point = fields.next()?;
    let fstype = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount {
        root: path(root),
        point: path(point),
        fstype: String::from_utf8_lossy(fstype).into_owned(),
    })
}

/// Undoes the kernel's escapes of space, tab, newline, backslash and `#`: three octal digits each
/// (`mangle_path`, `fs/seq_file.c`).
fn path(escaped: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                tail @ ..,
            ] => (((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), tail),
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn optional_fields_escapes_and_bad_lines() {
        let text = b"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
            50 20 0:4 net:[4026532301] /run/netns/a\\040b\\134\\012 rw shared:5 master:1 - nsfs nsfs rw\n\
            nonsense\n\
            7 1 0:1 / /x rw shared:1\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].fstype, "cgroup2");
        assert_eq!(mounts[0].point, Path::new("/sys/fs/cgroup/unified"));
        assert_eq!(mounts[1].root, Path::new("net:[4026532301]"));
        assert_eq!(mounts[1].point, Path::new("/run/netns/a b\\\n"));
        assert_eq!(mounts[1].fstype, "nsfs");
    }

    #[test]
    fn this_machine_has_proc_mounted() {
        assert!(read().iter().any(|mount| mount.fstype == "proc"));
    }

    proptest! {
        #[test]
        fn escaping_is_undone(name in prop::collection::vec(1_u8.., 0..30), noise in prop::collection::vec(any::<u8>(), 0..100)) {
            let escaped: Vec<u8> = name.iter().flat_map(|byte| match byte {
                b' ' | b'\t' | b'\n' | b'\\' | b'#' => format!("\\{byte:03o}").into_bytes(),
                byte => vec![*byte],
            }).collect();
            prop_assert_eq!(path(&escaped).into_os_string().into_vec(), name);
            parse(&noise);
        }
    }
}
