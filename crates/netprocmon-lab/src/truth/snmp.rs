//! The third truth: what the network stack of a namespace counts of itself (`/proc/net/snmp`).

use anyhow::{Context, Result};

use crate::net::Namespace;

/// One of its numbers, such as `Tcp` `RetransSegs`.
pub fn read(namespace: &Namespace, group: &str, name: &str) -> Result<u64> {
    let text = namespace.run("cat", &["/proc/net/snmp"])?;
    parse(&text, group, name).with_context(|| format!("find {group} {name} in /proc/net/snmp"))
}

/// Each group is a line of names and a line of numbers (proc(5)).
fn parse(text: &str, group: &str, name: &str) -> Option<u64> {
    let prefix = format!("{group}: ");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|found| found == name)?;
    numbers.split(' ').nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_under_its_name() {
        let text = "Ip: Forwarding FragCreates\nIp: 1 9\nTcp: InSegs RetransSegs\nTcp: 5 7\n";
        assert_eq!(parse(text, "Tcp", "RetransSegs"), Some(7));
        assert_eq!(parse(text, "Ip", "FragCreates"), Some(9));
        assert_eq!(parse(text, "Udp", "InSegs"), None);
        assert_eq!(parse(text, "Tcp", "OutSegs"), None);
    }
}
