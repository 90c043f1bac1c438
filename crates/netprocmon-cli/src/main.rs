//! The `netprocmon` command.
fn main() {}
