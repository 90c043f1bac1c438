//! The target `dns` of netprocmon-fuzz, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netprocmon_fuzz::run("dns", bytes));
