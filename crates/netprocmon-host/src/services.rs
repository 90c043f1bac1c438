//! Names of ports, from `/etc/services` (services(5)).
//!
//! Read once: what ports are called does not change while we run. A port without a name there
//! has none here.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use netprocmon_model::Protocol;

/// The file has a few ten kilobytes; IANA's whole registry has less than this.
const FILE_LIMIT: u64 = 4 << 20;
/// Longer than any service's name (RFC 6335 has 15).
const NAME_LIMIT: usize = 64;

type Names = HashMap<(u16, u8), Arc<str>>;

/// The name of a port of a protocol, as getservbyport(3) gives it from `/etc/services`: `https` for
/// 443 of TCP.
#[must_use]
pub fn name(port: u16, protocol: Protocol) -> Option<Arc<str>> {
    static NAMES: OnceLock<Names> = OnceLock::new();
    let names = NAMES.get_or_init(|| read(Path::new("/etc/services")));
    names.get(&(port, protocol.0)).cloned()
}

fn read(path: &Path) -> Names {
    let mut bytes = Vec::new();
    if fs::metadata(path).is_ok_and(|file| file.is_file())
        && let Ok(file) = File::open(path)
    {
        // What could be read before an error is as good as the rest.
        let _ = file.take(FILE_LIMIT).read_to_end(&mut bytes);
    }
    parse(&String::from_utf8_lossy(&bytes))
}

/// `name port/protocol alias… # comment` a line; the first name of a port wins.
pub(crate) fn parse(text: &str) -> Names {
    let mut names = Names::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut fields = line.split_ascii_whitespace();
        let (Some(name), Some(port)) = (fields.next(), fields.next()) else {
            continue;
        };
        let Some((port, protocol)) = port.split_once('/') else {
            continue;
        };
        if let (Ok(port), Some(protocol)) = (port.parse(), number(protocol))
            && name.len() <= NAME_LIMIT
        {
            names.entry((port, protocol)).or_insert_with(|| name.into());
        }
    }
    names
}

/// Protocols that have ports (`/etc/protocols`).
fn number(protocol: &str) -> Option<u8> {
    Some(match protocol {
        "tcp" => 6,
        "udp" => 17,
        "dccp" => 33,
        "sctp" => 132,
        "udplite" => 136,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ports_of_protocols() {
        let names = parse(
            "# x\nhttps\t443/tcp\t\t# TLS\nhttps 443/udp\nssl 443/tcp\nbad\nx 70000/tcp\ny 1/ddp\n\
             z 5\nm2ua 2904/sctp",
        );
        assert_eq!(names[&(443, 6)].as_ref(), "https");
        assert_eq!(names[&(443, 17)].as_ref(), "https");
        assert_eq!(names[&(2904, 132)].as_ref(), "m2ua");
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn without_a_file_there_are_no_names() {
        assert!(read(Path::new("/nowhere")).is_empty());
        assert!(read(Path::new("/dev/zero")).is_empty());
    }

    proptest! {
        #[test]
        fn noise_does_no_harm(noise in "[a-z0-9/# \t\n]{0,200}") {
            parse(&noise);
        }
    }
}
