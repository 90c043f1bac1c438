//! A block of the ring: a head, and packets one behind the other. Pure; it checks every offset,
//! though it is the kernel that has written them.

/// `struct tpacket_block_desc`: version u32, offset u32, status u32, packets u32, offset of the
/// first u32.
const PACKETS: usize = 12;
const FIRST: usize = 16;

/// `struct tpacket3_hdr`: offset of the next u32, seconds, nanoseconds, captured u32, length u32,
/// status u32, offset of the link's header u16, of the network's header u16, …; 48 bytes.
const CAPTURED: usize = 12;
const LENGTH: usize = 16;
const LINK: usize = 24;
const NETWORK: usize = 26;
const HEADER: usize = 48;

/// `struct sockaddr_ll`, behind it: family u16, protocol u16 (network order), interface i32,
/// hardware u16, kind u8.
const PROTOCOL: usize = HEADER + 2;
const INTERFACE: usize = HEADER + 4;
const KIND: usize = HEADER + 10;

/// `struct virtio_net_hdr`, in front of the link's header: flags u8, kind of segmentation u8, length of the
/// headers u16, of a segment u16; 10 bytes.
const VIRTIO: usize = 10;
const SEGMENTATION: usize = 1;
const SEGMENT: usize = 4;

// `sll_pkttype` (packet(7)).
const BROADCAST: u8 = 1;
const MULTICAST: u8 = 2;
const OUTGOING: u8 = 4;

/// One packet as the ring has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Index of the interface that it crossed, in the ring's namespace.
    pub(crate) interface: u32,
    /// Whether it left.
    pub(crate) is_sent: bool,
    /// Whether it was sent to all, or to a group, on the link.
    pub(crate) is_to_group: bool,
    /// What the link layer calls it (`EtherType`).
    pub(crate) protocol: u16,
    /// From the IP header on, all of it.
    pub(crate) length: u32,
    /// Payload of each segment of a buffer; 0 for a packet of its own.
    pub(crate) segment: u16,
    /// From the IP header on, as far as it was captured.
    pub(crate) bytes: &'a [u8],
}

/// The packets of a block, up to the first that is not all inside it.
pub(crate) fn frames(block: &[u8], with_segments: bool) -> impl Iterator<Item = Frame<'_>> {
    let mut left = number(block, PACKETS).unwrap_or_default();
    let mut at = number(block, FIRST).unwrap_or_default() as usize;
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let record = block.get(at..)?;
        at = at.checked_add(number(record, 0)? as usize)?;
        frame(record, with_segments)
    })
}

fn frame(record: &[u8], with_segments: bool) -> Option<Frame<'_>> {
    let link = usize::from(u16::from_ne_bytes(array(record, LINK)?));
    let network = usize::from(u16::from_ne_bytes(array(record, NETWORK)?));
    let end = link.checked_add(number(record, CAPTURED)? as usize)?;
    let header = u32::try_from(network.checked_sub(link)?).ok()?;
    let segment = if with_segments {
        segment(record, link.checked_sub(VIRTIO)?)?
    } else {
        0
    };
    let kind = *record.get(KIND)?;
    Some(Frame {
        interface: number(record, INTERFACE)?,
        is_sent: kind == OUTGOING,
        is_to_group: matches!(kind, BROADCAST | MULTICAST),
        protocol: u16::from_be_bytes(array(record, PROTOCOL)?),
        length: number(record, LENGTH)?.checked_sub(header)?,
        segment,
        bytes: record.get(network..end)?,
    })
}

fn segment(record: &[u8], header: usize) -> Option<u16> {
    let [kind] = array(record, header + SEGMENTATION)?;
    let length = u16::from_ne_bytes(array(record, header + SEGMENT)?);
    Some(if kind == 0 { 0 } else { length })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
