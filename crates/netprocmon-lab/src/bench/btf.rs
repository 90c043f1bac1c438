//! Finds the id of a tracepoint in the kernel's type information (BTF), which a program must name
//! to be attached there. Only as much of the format as that takes
//! (Documentation/bpf/btf.rst in the kernel's source).

use std::fs;

use anyhow::{Context, Result, bail};

const PATH: &str = "/sys/kernel/btf/vmlinux";
const TYPEDEF: u32 = 8;

/// The id of `btf_trace_NAME`, the type that stands for a tracepoint.
pub(super) fn tracepoint(name: &str) -> Result<u32> {
    let btf = fs::read(PATH).with_context(|| format!("read {PATH}"))?;
    find(&btf, &format!("btf_trace_{name}"))
        .with_context(|| format!("this kernel has no tracepoint {name}"))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

fn find(btf: &[u8], wanted: &str) -> Option<u32> {
    let header = word(btf, 4)? as usize;
    let [types, types_len, strings] = [8, 12, 16].map(|at| word(btf, at).map(|n| n as usize));
    let (types, strings) = (header + types?, header + strings?);
    let end = types + types_len?;
    let (mut at, mut id) = (types, 1);
    while at < end {
        let (name, info) = (word(btf, at)? as usize, word(btf, at + 4)?);
        let kind = info >> 24 & 0x1f;
        let text = btf.get(strings + name..)?;
        let text = text.split(|byte| *byte == 0).next()?;
        if kind == TYPEDEF && text == wanted.as_bytes() {
            return Some(id);
        }
        at += 12 + rest(kind, (info & 0xffff) as usize).ok()?;
        id += 1;
    }
    None
}

/// Bytes that follow the head of a type of this kind with `members` members.
fn rest(kind: u32, members: usize) -> Result<usize> {
    Ok(match kind {
        1 | 14 | 17 => 4,                // integer, variable, declaration tag
        3 => 12,                         // array
        4 | 5 | 15 | 19 => 12 * members, // structure, union, section, 64-bit enumeration
        6 | 13 => 8 * members,           // enumeration, prototype
        2 | 7..=12 | 16 | 18 => 0,       // pointer, names and qualifiers, floating point
        _ => bail!("a kind of type that is not known: {kind}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typedef_behind_other_types_is_found_by_name() {
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        let strings = b"\0int\0btf_trace_it\0";
        let types: [u32; 7] = [1, 1 << 24, 4, 32, 5, TYPEDEF << 24, 1];
        for word in [24, 0, 28, 28, 18_u32] {
            btf.extend(word.to_ne_bytes());
        }
        btf.extend(types.iter().flat_map(|word| word.to_ne_bytes()));
        btf.extend(strings);
        assert_eq!(find(&btf, "btf_trace_it"), Some(2));
        assert_eq!(find(&btf, "int"), None);
        assert_eq!(find(&btf[..40], "btf_trace_it"), None);
    }
}
