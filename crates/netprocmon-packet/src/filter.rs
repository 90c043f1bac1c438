//! The programs that the kernel runs on each packet before it copies anything: what to leave out,
//! and how much of the rest to keep (classic BPF, `Documentation/networking/filter.rst`).
//!
//! Nothing else is done there: they need no privilege but the socket's, and work since Linux 3.8.

/// How much of a packet is copied: the longest headers of IPv4 and TCP are 120 bytes together, and
/// the link's are in front of them.
pub(crate) const SNAP_LENGTH: u32 = 144;

// <linux/filter.h>: what is known of a packet beside its bytes.
const ABOUT_IT: u32 = 0xffff_f000; // SKF_AD_OFF
const PROTOCOL: u32 = ABOUT_IT;
const KIND: u32 = ABOUT_IT + 4; // SKF_AD_PKTTYPE
const VLAN_TAG: u32 = ABOUT_IT + 44;
const VLAN_IS_TAGGED: u32 = ABOUT_IT + 48;

// <linux/bpf_common.h>
const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF_BEHIND_X: u16 = 0x48;
const LOAD_BYTE_BEHIND_X: u16 = 0x50;
const X_IS_IPV4_HEADER: u16 = 0xb1; // BPF_LDX | BPF_B | BPF_MSH
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// `PACKET_OTHERHOST`: seen only because somebody else made the device promiscuous.
const OTHER_HOST: u32 = 3;
const OUTGOING: u32 = 4;
const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const TCP: u32 = 6;
const UDP: u32 = 17;
const DNS: u32 = 53;
/// SYN and ACK among TCP's flags; only the first is set in the packet that opens a connection.
const SYN_ACK: u32 = 0x12;
const SYN: u32 = 0x02;

const fn does(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Goes on `then` or `otherwise` instructions further.
const fn if_equal(k: u32, then: u8, otherwise: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: IF_EQUAL,
        jt: then,
        jf: otherwise,
        k,
    }
}

/// For the ring: the headers of every IP packet that is this host's business. A packet with a VLAN
/// tag passes once more, without it, on the VLAN's own device, where it is counted.
pub(crate) const RING: [libc::sock_filter; 12] = [
    does(LOAD_WORD, PROTOCOL),
    if_equal(IPV4, 1, 0),
    if_equal(IPV6, 0, 8),
    does(LOAD_WORD, KIND),
    if_equal(OTHER_HOST, 6, 0),
    does(LOAD_WORD, VLAN_IS_TAGGED),
    if_equal(0, 3, 0),
    does(LOAD_WORD, VLAN_TAG),
    does(AND, 0xfff), // VLAN 0 is none: only a priority
    if_equal(0, 0, 1),
    does(RETURN, SNAP_LENGTH),
    does(RETURN, 0),
];

/// For the doorbell: what a process that may not live long begins with, a connection of its own or
/// a question to a name server.
pub(crate) const DOORBELL: [libc::sock_filter; 25] = [
    does(LOAD_WORD, KIND),
    if_equal(OUTGOING, 0, 22),
    does(LOAD_WORD, PROTOCOL),
    if_equal(IPV6, 11, 0),
    if_equal(IPV4, 0, 19),
    // IPv4, whatever options it has
    does(X_IS_IPV4_HEADER, 0),
    does(LOAD_BYTE, 9),
    if_equal(TCP, 0, 3),
    does(LOAD_BYTE_BEHIND_X, 13),
    does(AND, SYN_ACK),
    if_equal(SYN, 12, 13),
    if_equal(UDP, 0, 12),
    does(LOAD_HALF_BEHIND_X, 2),
    if_equal(DNS, 9, 10),
    does(RETURN, 0), // not reached
    // IPv6, without extensions
    does(LOAD_BYTE, 6),
    if_equal(TCP, 0, 3),
    does(LOAD_BYTE, 40 + 13),
    does(AND, SYN_ACK),
    if_equal(SYN, 3, 4),
    if_equal(UDP, 0, 3),
    does(LOAD_HALF, 40 + 2),
    if_equal(DNS, 0, 1),
    does(RETURN, SNAP_LENGTH),
    does(RETURN, 0),
];
