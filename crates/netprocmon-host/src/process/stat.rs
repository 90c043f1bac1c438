//! The texts of `/proc/PID`, taken apart. Pure.
//!
//! Every one of them holds something that the process chose: its name may contain spaces,
//! parentheses, newlines and bytes that are not UTF-8.

use std::sync::Arc;

/// What is used of `/proc/PID/stat` (`proc_pid_stat(5)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Field 2, raw bytes.
    pub(crate) name: Vec<u8>,
    /// Field 4.
    pub(crate) ppid: u32,
    /// Field 22, in clock ticks since boot.
    pub(crate) start_ticks: u64,
}

impl Stat {
    /// The name is everything between the first `(` and the last `)`; numbers follow.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let name = text.get(open + 1..close)?.to_vec();
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace(); // from field 3 on
        let ppid = fields.nth(1)?.parse().ok()?;
        let start_ticks = fields.nth(17)?.parse().ok()?;
        Some(Self {
            name,
            ppid,
            start_ticks,
        })
    }
}

/// What is used of `/proc/PID/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) tgid: u32,
    /// The real one of the four.
    pub(crate) uid: u32,
}

impl Status {
    /// The kernel escapes the newlines of the name in this file, so a line is a line.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let number = |key: &[u8]| {
            let mut lines = text.split(|byte| *byte == b'\n');
            let value = lines.find_map(|line| line.strip_prefix(key))?;
            let value = std::str::from_utf8(value).ok()?;
            value.split_ascii_whitespace().next()?.parse().ok()
        };
        Some(Self {
            tgid: number(b"Tgid:")?,
            uid: number(b"Uid:")?,
        })
    }
}

/// All groups of a process, in `/proc/PID/status`.
pub(crate) fn groups(status: &[u8]) -> Vec<u32> {
    let mut lines = status.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"Groups:"));
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let numbers = line.split_ascii_whitespace();
    numbers.filter_map(|gid| gid.parse().ok()).collect()
}

/// The arguments of `/proc/PID/cmdline`, each ended by a NUL.
///
/// Empty ones at the end are dropped: a program that writes its own title over its arguments
/// leaves hundreds of NULs behind it.
pub(crate) fn arguments(bytes: &[u8]) -> Arc<[Arc<str>]> {
    let end = bytes.iter().rposition(|byte| *byte != 0);
    let Some(used) = end.and_then(|end| bytes.get(..=end)) else {
        return [].into();
    };
    used.split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into())
        .collect()
}

/// The cgroup v2 path of `/proc/PID/cgroup`: the `0::` line (cgroups(7)).
pub(crate) fn cgroup_v2(text: &[u8]) -> Option<String> {
    let path = text
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"0::"))?;
    let path = String::from_utf8_lossy(path);
    Some(without_deleted(&path).to_owned())
}

/// What the kernel adds to the path of an unlinked file or cgroup is not part of its name. (A file
/// may really be called so; the price is that such a name is shown without its end.)
pub(crate) fn without_deleted(path: &str) -> &str {
    path.strip_suffix(" (deleted)").unwrap_or(path)
}

/// The inode number of a link such as `net:[4026531840]` (namespaces(7)).
pub(crate) fn namespace_inode(link: &str) -> Option<u32> {
    let number = link.split_once(":[")?.1.strip_suffix(']')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AFTER: &str = " S 41 586 586 34816 586 4194304 99 0 0 0 0 0 0 0 20 0 1 0 191030 3133440";

    #[test]
    fn a_name_that_looks_like_the_rest_of_the_line() {
        for name in [
            "cat",
            "a) S 1 2 3",
            "((",
            ")",
            "x\n) R 7",
            "tmux: server",
            "",
        ] {
            let text = format!("586 ({name}){AFTER}");
            let stat = Stat::parse(text.as_bytes()).unwrap();
            assert_eq!(stat.name, name.as_bytes());
            assert_eq!((stat.ppid, stat.start_ticks), (41, 191_030));
        }
    }

    #[test]
    fn a_name_of_any_bytes() {
        let text = [b"5 (\xff\x1b[31m)", AFTER.as_bytes()].concat();
        assert_eq!(Stat::parse(&text).unwrap().name, b"\xff\x1b[31m");
    }

    #[test]
    fn short_and_turned_around_lines_are_refused() {
        assert_eq!(Stat::parse(b"5 (a) S 1"), None);
        assert_eq!(Stat::parse(b") 5 ( S 1"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn status_takes_the_real_uid() {
        let text = b"Name:\ta\\nUid:\t7\nState:\tS\nTgid:\t586\nPid:\t586\nUid:\t1000\t0\t1\t2\n";
        let status = Status::parse(text).unwrap();
        assert_eq!((status.tgid, status.uid), (586, 1000));
    }

    #[test]
    fn arguments_keep_empty_ones_in_the_middle_only() {
        let shown: Vec<_> = arguments(b"a\0\0b c\0\xff\0")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown, ["a", "", "b c", "\u{fffd}"]);
        assert_eq!(arguments(b"nginx: worker\0\0\0\0\0").len(), 1);
        assert_eq!(arguments(b"no end").len(), 1);
        assert_eq!(arguments(b"").len(), 0);
        assert_eq!(arguments(b"\0\0").len(), 0);
    }

    #[test]
    fn the_unified_hierarchy_among_the_old_ones() {
        let text = b"9:name=systemd:/\n4:memory:/x\n0::/system.slice/a.service (deleted)\n";
        assert_eq!(cgroup_v2(text).unwrap(), "/system.slice/a.service");
        assert_eq!(cgroup_v2(b"4:memory:/x\n10::/y\n"), None);
    }

    #[test]
    fn namespace_links() {
        assert_eq!(namespace_inode("net:[4026531840]"), Some(4_026_531_840));
        assert_eq!(namespace_inode("net:[99999999999]"), None);
        assert_eq!(namespace_inode("/x"), None);
    }

    proptest! {
        #[test]
        fn any_name_comes_back(name in prop::collection::vec(any::<u8>(), 0..16), ppid: u32, start: u64) {
            let mut text = b"1 (".to_vec();
            text.extend(&name);
            text.extend(format!(") S {ppid} 1 1 0 -1 4 9 0 0 0 0 0 0 0 20 0 1 0 {start} 5\n").bytes());
            prop_assert_eq!(Stat::parse(&text), Some(Stat { name, ppid, start_ticks: start }));
        }

        #[test]
        fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Stat::parse(&noise), Status::parse(&noise), cgroup_v2(&noise), arguments(&noise));
            let _ = namespace_inode(&String::from_utf8_lossy(&noise));
        }
    }
}
