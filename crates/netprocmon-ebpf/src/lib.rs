//! The eBPF source.
