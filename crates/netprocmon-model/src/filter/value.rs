//! Values: sizes, rates, durations, ports, addresses, as people write them.

use std::net::{IpAddr, SocketAddr};

/// What is left of a network's address after its own bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AddressPattern {
    /// All addresses whose first `bits` are those of `base`; one address where that is all of them.
    Network { base: IpAddr, bits: u8 },
    /// An address and a port.
    Socket(SocketAddr),
    /// A name or the beginning of an address, lower case, with `*` for anything.
    Glob(Box<str>),
}

const SIZES: [(&str, u64); 9] = [
    ("", 1),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
];

/// In nanoseconds.
const DURATIONS: [(&str, u64); 7] = [
    ("", 1_000_000_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Services that people call by name; others are known where the connection's own is.
const SERVICES: [(&str, u16); 30] = [
    ("amqp", 5672),
    ("bgp", 179),
    ("dns", 53),
    ("domain", 53),
    ("etcd", 2379),
    ("ftp", 21),
    ("git", 9418),
    ("http", 80),
    ("https", 443),
    ("imap", 143),
    ("imaps", 993),
    ("kerberos", 88),
    ("ldap", 389),
    ("ldaps", 636),
    ("mdns", 5353),
    ("memcached", 11211),
    ("mongodb", 27017),
    ("mqtt", 1883),
    ("mysql", 3306),
    ("nfs", 2049),
    ("ntp", 123),
    ("pop3s", 995),
    ("postgresql", 5432),
    ("rdp", 3389),
    ("redis", 6379),
    ("smtp", 25),
    ("snmp", 161),
    ("ssh", 22),
    ("submission", 587),
    ("telnet", 23),
];

/// Bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let unit = |unit: &str| unit.strip_suffix('b').unwrap_or(unit).to_owned();
    scaled(text, &SIZES, unit)
}

/// Bytes a second; the `/s` may be missing.
pub(super) fn rate(text: &str) -> Option<u64> {
    size(text.strip_suffix("/s").unwrap_or(text))
}

/// Nanoseconds; a number alone is seconds.
pub(super) fn duration(text: &str) -> Option<u64> {
    scaled(text, &DURATIONS, ToOwned::to_owned)
}

/// The port of a service that everybody knows.
pub(super) fn service(name: &str) -> Option<u16> {
    let mut known = SERVICES.iter();
    known
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, port)| *port)
}

/// A decimal number and a unit, exact where it is whole.
fn scaled(text: &str, units: &[(&str, u64)], trim: impl Fn(&str) -> String) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = trim(&unit.trim_start().to_ascii_lowercase());
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    // More digits than these are below one part of the smallest unit.
    let digits = fraction.get(..fraction.len().min(12))?;
    let part: u128 = digits.parse().ok()?;
    if !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    let part = u64::try_from(part * u128::from(*factor) / scale).ok()?;
    whole.checked_mul(*factor)?.checked_add(part)
}

impl AddressPattern {
    /// Reads an address, an address with a port, a network or a name; `None` where a `/` makes no
    /// network.
    pub(super) fn read(text: &str) -> Option<Self> {
        let exactly = |base: IpAddr| Self::Network {
            base,
            bits: width(base),
        };
        if let Some((base, bits)) = text.split_once('/') {
            let base: IpAddr = base.parse().ok()?;
            let bits: u8 = bits.parse().ok().filter(|&bits| bits <= width(base))?;
            let canonical = base.to_canonical();
            return Some(Self::Network {
                base: canonical,
                // ::ffff:10.0.0.0/104 is 10.0.0.0/8
                bits: bits.checked_sub(width(base) - width(canonical))?,
            });
        }
        let unbracketed = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Ok(address) = unbracketed.unwrap_or(text).parse::<IpAddr>() {
            return Some(exactly(address.to_canonical()));
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Some(Self::Socket(canonical(socket)));
        }
        Some(Self::Glob(text.to_lowercase().into()))
    }

    /// Whether this is an address or a network, not a name.
    pub(super) const fn is_numeric(&self) -> bool {
        !matches!(self, Self::Glob(_))
    }

    /// Whether an end of a connection, and the name that it has, are meant.
    pub(super) fn takes(&self, socket: SocketAddr, name: Option<&str>) -> bool {
        let socket = canonical(socket);
        match self {
            Self::Network { base, bits } => within(socket.ip(), *base, *bits),
            Self::Socket(wanted) => *wanted == socket,
            Self::Glob(pattern) => {
                let name = name.map(|name| name.trim_end_matches('.').to_lowercase());
                name.is_some_and(|name| glob(pattern, &name))
                    || (pattern.contains('*') && glob(pattern, &socket.ip().to_string()))
            }
        }
    }
}

/// The address that the packets have: a mapped IPv4 address is the IPv4 address.
pub(super) fn canonical(socket: SocketAddr) -> SocketAddr {
    SocketAddr::new(socket.ip().to_canonical(), socket.port())
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn within(address: IpAddr, base: IpAddr, bits: u8) -> bool {
    let differ = match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    differ.leading_zeros() >= u32::from(bits)
}

/// Whether `text` is `pattern`, in which each `*` stands for any text. Never more steps than the
/// product of the two lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_rates_and_durations() {
        for (text, bytes) in [
            ("0", 0),
            ("1500", 1500),
            ("10M", 10_000_000),
            ("10mb", 10_000_000),
            ("10Mi", 10 << 20),
            ("1KiB", 1024),
            ("1.5k", 1500),
            ("9007199254740993", 9_007_199_254_740_993),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "M",
            "-5",
            "1.2.3",
            "5X",
            ".5M",
            "99999999999Ti",
            "10M/s",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!(rate("1.5M/s"), Some(1_500_000));
        assert_eq!(duration("90s"), duration("1.5m"));
        assert_eq!(duration("1d"), duration("24h"));
        assert_eq!(duration("2"), duration("2000ms"));
    }

    #[test]
    fn networks_and_mapped_addresses() {
        let takes = |pattern: &str, address: &str| {
            AddressPattern::read(pattern)
                .unwrap()
                .takes(address.parse().unwrap(), Some("API.Example.com."))
        };
        assert!(takes("10.0.0.0/8", "10.255.0.1:1"));
        assert!(takes("10.0.0.0/8", "[::ffff:10.1.2.3]:1"));
        assert!(takes("::ffff:10.0.0.0/104", "10.1.2.3:1"));
        assert!(!takes("10.0.0.0/8", "11.0.0.1:1"));
        assert!(!takes("0.0.0.0/0", "[2001:db8::1]:1"));
        assert!(takes("::/0", "[2001:db8::1]:1"));
        assert!(takes("2001:db8::1", "[2001:db8::1]:9"));
        assert!(takes("[2001:db8::1]:9", "[2001:db8::1]:9"));
        assert!(!takes("10.0.0.1", "10.0.0.12:1"));
        assert!(takes("*.example.com", "1.2.3.4:1"));
        assert!(takes("api.example.com", "1.2.3.4:1"));
        assert!(!takes("example.com", "1.2.3.4:1"));
        assert!(takes("1.2.*", "1.2.3.4:1"));
        assert_eq!(AddressPattern::read("10.0.0.0/33"), None);
        assert_eq!(AddressPattern::read("a/b"), None);
    }

    #[test]
    fn globs() {
        assert!(glob("*", ""));
        assert!(glob("a*b*c", "a-b-b-c"));
        assert!(!glob("a*bc", "abxc"));
        assert!(!glob("aa*aa", "aaa"));
        let many = format!("{}b", "*a".repeat(2000));
        assert!(!glob(&many, &"a".repeat(4000)));
    }
}
