//! What is fuzzed: every parser of bytes or text from outside, as one table of functions.
//!
//! `fuzz/` has a program of libFuzzer's for each, which calls it and nothing else (`cargo xtask
//! fuzz`), and a corpus for each: a few inputs that mean something, and every input that ever broke
//! it. The test of this crate replays the corpus, on any toolchain and in any `cargo test`.
//!
//! A target must return, whatever it is given. Parsers that are private to their crate have a door
//! there, in its `fuzzing` module.

use netprocmon_model::{Filter, GroupBy};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its program and of its corpus.
    pub name: &'static str,
    /// Takes one input.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All of them.
pub const TARGETS: [Target; 9] = [
    target("block", netprocmon_packet::fuzzing::block),
    target("dns", netprocmon_host::fuzzing::dns),
    target("files", netprocmon_host::fuzzing::files),
    target("filter", filter),
    target("netlink", netprocmon_host::fuzzing::netlink),
    target("options", netprocmon_cli::fuzzing::options),
    target("packet", netprocmon_packet::fuzzing::packet),
    target("process", netprocmon_host::fuzzing::process),
    target("records", netprocmon_ebpf::fuzzing::records),
];

/// Runs one by its name, which must be in the table.
///
/// # Panics
///
/// Where there is none of that name, and where the target does.
#[allow(clippy::panic)] // that is what a fuzzer waits for
pub fn run(name: &str, bytes: &[u8]) {
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => (target.run)(bytes),
        None => panic!("no target is called {name}"),
    }
}

/// A filter, and what one groups by. What is printed of a filter must mean the same filter.
fn filter(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(filter) = text.parse::<Filter>() {
        let printed = filter.to_string();
        let again = printed.parse::<Filter>();
        assert_eq!(
            again.as_ref(),
            Ok(&filter),
            "{text:?} prints as {printed:?}"
        );
    }
    if let Ok(key) = text.parse::<GroupBy>() {
        assert_eq!(key.to_string().parse::<GroupBy>(), Ok(key));
    }
}
