//! The table: every scenario, a row each. To add one, write what is done in the file of its kind
//! and put a row into that file's list; what must be reported is the same for all.

use netprocmon::IpVersion;

use crate::scenario::Scenario;

mod blind;
mod company;
mod connection;
mod datagram;
mod device;
mod fate;
mod full;
mod icmp;
mod lifetime;
mod loopback;
mod loss;
mod scale;
mod share;
mod stream;
mod tcp;
mod udp;

/// Every row, in the order in which they run.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [
        tcp::ROWS,
        udp::ROWS,
        icmp::ROWS,
        loopback::ROWS,
        lifetime::ROWS,
        device::ROWS,
        loss::ROWS,
        blind::ROWS,
        scale::ROWS,
        full::ROWS,
        fate::ROWS,
        company::ROWS,
        connection::ROWS,
        stream::ROWS,
        datagram::ROWS,
        share::ROWS,
    ]
    .concat()
}

/// The arguments of a generator.
fn args<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

/// An address and a port as one writes them.
fn at(end: crate::net::End, version: IpVersion, port: u16) -> String {
    std::net::SocketAddr::new(end.address(version), port).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let rows = all();
        let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows.len());
    }
}
