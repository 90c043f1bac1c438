//! The first truth: a device's own counters, brought to the IP layer.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::net::{Device, Header};

/// Packets and bytes in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the contract's names
pub struct Moved {
    pub bytes_sent: u64,
    pub bytes_recv: u64,
    pub packets_sent: u64,
    pub packets_recv: u64,
}

impl Moved {
    /// What was moved since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            bytes_sent: self.bytes_sent.wrapping_sub(earlier.bytes_sent),
            bytes_recv: self.bytes_recv.wrapping_sub(earlier.bytes_recv),
            packets_sent: self.packets_sent.wrapping_sub(earlier.packets_sent),
            packets_recv: self.packets_recv.wrapping_sub(earlier.packets_recv),
        }
    }

    /// The bytes without those of the link layer on each packet.
    #[must_use]
    pub fn without_header(self, header: Header) -> Self {
        Self {
            bytes_sent: self
                .bytes_sent
                .wrapping_sub(header.sent * self.packets_sent),
            bytes_recv: self
                .bytes_recv
                .wrapping_sub(header.recv * self.packets_recv),
            ..self
        }
    }
}

/// A device's interface index and its counters at the IP layer, as `ip -s link` shows them.
pub fn read(device: &Device<'_>) -> Result<(u32, Moved)> {
    let args = ["-s", "-j", "link", "show", "dev", device.name];
    let text = device.namespace.ip(&args)?;
    let (index, moved) = parse(&text)
        .with_context(|| format!("read the counters that ip printed for {}", device.name))?;
    Ok((index, moved.without_header(device.header)))
}

#[derive(Deserialize)]
struct Shown {
    ifindex: u32,
    stats64: Stats,
}

#[derive(Deserialize)]
struct Stats {
    rx: Side,
    tx: Side,
}

#[derive(Deserialize)]
struct Side {
    bytes: u64,
    packets: u64,
}

fn parse(text: &str) -> Result<(u32, Moved)> {
    let shown: Vec<Shown> = serde_json::from_str(text)?;
    let first = shown.into_iter().next().context("no device in it")?;
    let Stats { rx, tx } = first.stats64;
    let moved = Moved {
        bytes_sent: tx.bytes,
        bytes_recv: rx.bytes,
        packets_sent: tx.packets,
        packets_recv: rx.packets,
    };
    Ok((first.ifindex, moved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_ip_is_read() {
        let text = r#"[{"ifindex":2,"link_index":2,"ifname":"left0","flags":["UP"],"stats64":
            {"rx":{"bytes":142,"packets":3,"errors":0},"tx":{"bytes":70,"packets":1}}}]"#;
        let (index, moved) = parse(text).unwrap();
        assert_eq!(index, 2);
        let at_ip_layer = moved.without_header(Header::both(14));
        assert_eq!(
            (at_ip_layer.bytes_sent, at_ip_layer.bytes_recv),
            (56, 142 - 42)
        );
    }

    #[test]
    fn no_device_is_an_error() {
        assert!(parse("[]").is_err());
    }
}
