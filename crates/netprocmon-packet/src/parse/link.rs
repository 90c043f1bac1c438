//! What stands in front of the IP header. Pure.

use super::{Link, Malformed, u16_be};

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;
/// IEEE 802.1Q, 802.1ad, and the number that was used for the latter before.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Nobody has use for more; each is four bytes.
const MOST_TAGS: usize = 4;

/// The `EtherType`, and the bytes behind all that belongs to the link.
pub(super) fn strip(bytes: &[u8], link: Link) -> Result<(u16, &[u8]), Malformed> {
    let (kind, header) = match link {
        Link::Ethernet => (u16_be(bytes, 12)?, 14),
        Link::Cooked => (u16_be(bytes, 14)?, 16),
        Link::Cooked2 => (u16_be(bytes, 0)?, 20),
        Link::Network(kind) => (kind, 0),
        Link::Ip => {
            let version = bytes.first().ok_or(Malformed::Cut)? >> 4;
            (if version == 6 { IPV6 } else { IPV4 }, 0)
        }
    };
    let rest = bytes.get(header..).ok_or(Malformed::Cut)?;
    untagged(kind, rest)
}

fn untagged(mut kind: u16, mut bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    for _ in 0..MOST_TAGS {
        if !VLAN.contains(&kind) {
            break;
        }
        kind = u16_be(bytes, 2)?;
        bytes = bytes.get(4..).ok_or(Malformed::Cut)?;
    }
    Ok((kind, bytes))
}
