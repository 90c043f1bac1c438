//! systemd's names in a cgroup path, by the rules of `sd_pid_get_unit(3)` and its relatives
//! (systemd, `src/basic/cgroup-util.c` and `unit-name.c`). Pure.

use std::borrow::Cow;

/// Kinds of units, without those that never have processes being treated otherwise: systemd takes
/// them all (`unit_type_table`).
const KINDS: [&str; 11] = [
    "service",
    "socket",
    "target",
    "device",
    "mount",
    "automount",
    "swap",
    "timer",
    "path",
    "slice",
    "scope",
];
/// `UNIT_NAME_MAX`, its NUL taken off.
const NAME_LIMIT: usize = 255;

/// The unit of the system manager: the first part behind the slices.
pub(super) fn system<'a>(parts: &[&'a str]) -> Option<&'a str> {
    let name = unescaped(behind_slices(parts).first()?);
    (kind(name)? != "slice").then_some(name)
}

/// The unit of a user's manager: the same again, behind `user@UID.service` or a session.
pub(super) fn user<'a>(parts: &[&'a str]) -> Option<&'a str> {
    let (first, below) = behind_slices(parts).split_first()?;
    (manager(first).is_some() || is_session(first)).then_some(())?;
    system(below)
}

/// The innermost slice before the unit; the root slice where there is a unit but no slice.
pub(super) fn slice<'a>(parts: &[&'a str], has_unit: bool) -> Option<&'a str> {
    let slices = parts.len() - behind_slices(parts).len();
    match slices.checked_sub(1).and_then(|last| parts.get(last)) {
        Some(slice) => Some(unescaped(slice)),
        None => has_unit.then_some("-.slice"),
    }
}

/// The user whom a part of the path puts in charge of all below it.
pub(super) fn user_of(part: &str) -> Option<u32> {
    manager(part).or_else(|| {
        let uid = part.strip_prefix("user-")?.strip_suffix(".slice")?;
        uid.parse().ok()
    })
}

/// Undoes `\x2d` and the like (`systemd-escape(1)`), but leaves `-` alone: what is unescaped here
/// are names, not paths.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains("\\x") {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match rest {
            [b'\\', b'x', high, low, tail @ ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => (*first, &rest[1..]),
            },
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

fn behind_slices<'a, 'p>(parts: &'p [&'a str]) -> &'p [&'a str] {
    let end = parts.iter().position(|part| !is_slice(part));
    parts.get(end.unwrap_or(parts.len())..).unwrap_or_default()
}

/// `cg_unescape`: one `_` is put before names that the kernel might take for its own files.
fn unescaped(part: &str) -> &str {
    part.strip_prefix('_').unwrap_or(part)
}

fn is_slice(part: &str) -> bool {
    let name = unescaped(part);
    kind(name) == Some("slice") && !name.contains('@')
}

/// The kind of a unit, where a text is the name of one: `unit_name_is_valid` for plain names and
/// instances; a template without an instance is none.
fn kind(name: &str) -> Option<&str> {
    let (stem, kind) = name.rsplit_once('.')?;
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let good = name.len() <= NAME_LIMIT
        && !stem.is_empty()
        && KINDS.contains(&kind)
        && stem.bytes().all(valid)
        && stem
            .split_once('@')
            .is_none_or(|(template, instance)| !template.is_empty() && !instance.is_empty());
    good.then_some(kind)
}

fn manager(part: &str) -> Option<u32> {
    let uid = part.strip_prefix("user@")?.strip_suffix(".service")?;
    uid.parse().ok()
}

fn is_session(part: &str) -> bool {
    let id = part
        .strip_prefix("session-")
        .and_then(|rest| rest.strip_suffix(".scope"));
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_characters_and_broken_ones_stay() {
        assert_eq!(plain(r"web\x2dfront"), "web-front");
        assert_eq!(plain(r"a-b"), "a-b");
        assert_eq!(plain(r"\x"), r"\x");
        assert_eq!(plain(r"\xzz\x2"), r"\xzz\x2");
        assert_eq!(plain(r"\xff"), "\u{fffd}");
    }

    #[test]
    fn names_of_units() {
        for good in [
            "a.service",
            "getty@tty1.service",
            r"a\x2db.scope",
            "-.slice",
        ] {
            assert!(kind(good).is_some(), "{good}");
        }
        let long = format!("{}.service", "a".repeat(250));
        for bad in [
            "",
            ".service",
            "a.b",
            "a b.service",
            "@x.service",
            "a@.service",
            "a",
            &long,
        ] {
            assert_eq!(kind(bad), None, "{bad}");
        }
    }
}
