//! The target `block` of netprocmon-fuzz, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| netprocmon_fuzz::run("block", bytes));
