//! How many instructions a packet costs: taking its headers apart, and counting it under a flow that
//! is known among ten thousand. `cargo xtask instructions` compares them with the committed ones.
#![allow(missing_docs)] // of what the macros make

use std::hint::black_box;

use gungraun::Callgrind;
use gungraun::prelude::*;
use netprocmon_packet::Bench;
use netprocmon_packet::parse::{Link, Malformed, Packet, parse};

const FLOWS: u16 = 10_000;

/// IPv4 and TCP with time stamps, from port `port`, as a buffer of 64 KiB.
fn segment(port: u16) -> [u8; 72] {
    let mut bytes = [0; 72];
    bytes[..20].copy_from_slice(&[
        0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    ]);
    bytes[20..22].copy_from_slice(&port.to_be_bytes());
    bytes[22..24].copy_from_slice(&443_u16.to_be_bytes());
    bytes[32..34].copy_from_slice(&[0x80, 0x10]);
    bytes
}

fn crowd() -> (Bench, Vec<[u8; 72]>) {
    let packets: Vec<_> = (1..=FLOWS).map(segment).collect();
    let mut bench = Bench::default();
    for packet in &packets {
        bench.packet(packet, 65_000);
    }
    (bench, packets)
}

#[library_benchmark]
#[bench::tcp_1000(segment(7))]
fn parse_packets(packet: [u8; 72]) -> Option<Result<Packet, Malformed>> {
    let parsed = |_, _| Some(parse(black_box(&packet), black_box(Link::Ip)));
    (0..1000).fold(None, parsed)
}

#[library_benchmark]
#[bench::flows_10000(crowd())]
fn count_packets((mut bench, packets): (Bench, Vec<[u8; 72]>)) -> (Bench, Vec<[u8; 72]>) {
    for packet in &packets {
        bench.packet(black_box(packet), 65_000);
    }
    (bench, packets)
}

library_benchmark_group!(name = anyone, benchmarks = [parse_packets, count_packets]);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args([
        "--cache-sim=no",
        "--trace-children=no",
    ])),
    library_benchmark_groups = [anyone]
);
