//! The second truth: counters in the packet filter (nftables) of a namespace.
//!
//! They stand at the IP layer, so they need no correction for link headers, and they are told apart
//! by protocol. The same table keeps the namespace quiet: it drops what IPv6 sends by itself.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::net::Namespace;
use crate::tool;

const TABLE: &str = "lab";

/// Counts what comes in, before routing. Loopback is left out. What goes out is not counted: there
/// the filter sees segmentation buffers that are cut only on their way to the device.
const RULES: &str = "
table inet lab {
  counter in_all { }
  counter in_tcp { }
  counter in_udp { }
  counter in_icmp { }
  chain arrived {
    type filter hook prerouting priority -300;
    iifname \"lo\" accept
    counter name \"in_all\"
    meta l4proto tcp counter name \"in_tcp\"
    meta l4proto udp counter name \"in_udp\"
    meta l4proto { icmp, ipv6-icmp } counter name \"in_icmp\"
  }
  chain quiet {
    type filter hook output priority 0;
    icmpv6 type { 130, 131, 132, 133, 143 } drop
  }
}
";

/// IP packets that arrived in a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Arrived {
    pub bytes: u64,
    pub packets: u64,
}

impl Arrived {
    /// What has arrived since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            bytes: self.bytes.wrapping_sub(earlier.bytes),
            packets: self.packets.wrapping_sub(earlier.packets),
        }
    }
}

/// Puts the lab's table into a namespace.
pub fn install(namespace: &Namespace) -> Result<()> {
    let args = ["netns", "exec", namespace.name(), "nft", "-f", "-"];
    tool::run_with_input("ip", &args, RULES)?;
    Ok(())
}

/// Reads one of its counters: `all`, `tcp`, `udp` or `icmp`.
pub fn read(namespace: &Namespace, counter: &str) -> Result<Arrived> {
    let text = namespace.run("nft", &["-j", "list", "counters", "table", "inet", TABLE])?;
    parse(&text, counter)
        .with_context(|| format!("read the counters that nft printed for {counter}"))
}

#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    counter: Option<Counter>,
}

#[derive(Deserialize)]
struct Counter {
    name: String,
    packets: u64,
    bytes: u64,
}

fn parse(text: &str, name: &str) -> Result<Arrived> {
    let name = format!("in_{name}"); // `tcp` alone is a keyword
    let listing: Listing = serde_json::from_str(text)?;
    let mut counters = listing.nftables.into_iter().filter_map(|e| e.counter);
    let counter = counters
        .find(|counter| counter.name == name)
        .context("it is not among them")?;
    Ok(Arrived {
        bytes: counter.bytes,
        packets: counter.packets,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_nft_is_read() {
        let text = r#"{"nftables":[{"metainfo":{"version":"1.0.6"}},
            {"counter":{"family":"inet","name":"in_all","packets":4,"bytes":400}},
            {"counter":{"family":"inet","name":"in_udp","packets":3,"bytes":300}}]}"#;
        let arrived = parse(text, "udp").unwrap();
        assert_eq!((arrived.bytes, arrived.packets), (300, 3));
        assert!(parse(text, "tcp").is_err());
    }
}
