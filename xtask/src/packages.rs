//! Debian packages: which programs the tests and the BPF build need, and installing what is not
//! there. On a machine where nothing is missing, nothing is asked of anybody.

use anyhow::{Result, bail};

use crate::shell::{command, exists, run};

/// A program or file, and the package that has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// A program's name, or an absolute path.
    what: &'static str,
    package: &'static str,
}

const fn need(what: &'static str, package: &'static str) -> Need {
    Need { what, package }
}

/// For the tests and the lab.
pub(crate) const TESTS: &[Need] = &[
    need("ip", "iproute2"),
    need("nft", "nftables"),
    need("ethtool", "ethtool"),
    need("bpftool", "bpftool"),
    need("ping", "iputils-ping"),
    need("iperf3", "iperf3"),
    need("curl", "curl"),
    need("tcpdump", "tcpdump"),
    need("tmux", "tmux"),
    need("dnsmasq", "dnsmasq-base"),
    need("dig", "bind9-dnsutils"),
    need("sudo", "sudo"),
    need("setpriv", "util-linux"),
];

/// For compiling the BPF programs. One version of clang, because another gives another object.
pub(crate) const BPF: &[Need] = &[
    need("clang-19", "clang-19"),
    need("llvm-strip-19", "llvm-19"),
    need("/usr/include/bpf/bpf_helpers.h", "libbpf-dev"),
    need("/usr/include/linux/bpf.h", "linux-libc-dev"),
];

/// For the Python package, where no other Python is new enough.
pub(crate) const PYTHON: &[Need] = &[
    need("python3", "python3"),
    need("/usr/lib/python3.11/ensurepip/__init__.py", "python3-venv"),
];

/// For counting instructions.
pub(crate) const INSTRUCTIONS: &[Need] = &[need("valgrind", "valgrind"), need("ip", "iproute2")];

/// Other tools, for `cargo xtask bench --peers`, and what those of crates.io are built with.
pub(crate) const PEERS: &[Need] = &[
    need("nethogs", "nethogs"),
    need("script", "bsdutils"),
    need("pkg-config", "pkg-config"),
    need("clang", "clang"),
    need("/usr/include/pcap.h", "libpcap-dev"),
    need("/usr/include/libelf.h", "libelf-dev"),
    need("/usr/include/zlib.h", "zlib1g-dev"),
];

/// Installs what is missing; without root or apt-get, says what that is.
pub(crate) fn install(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !is_root() || !exists("apt-get") {
        bail!("missing: run `apt-get install {packages}` as root (names are Debian's)");
    }
    run(&mut apt_get(&["update", "-q"])?)?;
    let install = ["install", "-q", "-y", "--no-install-recommends"];
    run(&mut apt_get(&[&install[..], &missing].concat())?)
}

/// The same, but what cannot be installed is only said: the tests that need it are skipped.
pub(crate) fn try_install(needs: &[Need]) {
    if let Err(error) = install(needs) {
        eprintln!("xtask: {error:#}");
        eprintln!("xtask: going on; what needs them will be SKIPPED");
    }
}

fn apt_get(args: &[&str]) -> Result<std::process::Command> {
    let mut apt_get = command("apt-get", args)?;
    apt_get.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(apt_get)
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    let absent = needs.iter().filter(|need| {
        if need.what.starts_with('/') {
            !std::path::Path::new(need.what).exists()
        } else {
            !exists(need.what)
        }
    });
    absent.map(|need| need.package).collect()
}

/// Root by the file that only root owns: our own entry in `/proc`.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_missing() {
        let there = need("sh", "dash");
        let not_there = need("/no/such/file", "nothing");
        assert_eq!(missing(&[there, not_there]), ["nothing"]);
    }
}
