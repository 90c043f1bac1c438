//! What the figures were measured on, in terms that mean something to others: no names, no paths.

use std::fs;

/// The head of the report.
pub(super) fn describe(quick: bool) -> String {
    let quick = if quick {
        "\n**A quick run: too few and too short repetitions to publish.**\n"
    } else {
        ""
    };
    format!(
        "# Benchmarks\n\n\
         Made by `cargo xtask bench`, all in one run: what is compared was measured in turns. \
         Medians; in brackets the least, the most and how many. \
         Targets that were missed are said to be.\n{quick}\n\
         | | |\n|---|---|\n\
         | processor | {}, {} in use{} |\n\
         | memory | {} MiB |\n\
         | kernel | Linux {} |\n\
         | netprocmon | {} |\n\
         | load average at the start | {} |\n\n",
        model(),
        cores(),
        if is_guest() {
            ", a virtual machine"
        } else {
            ""
        },
        rustix::system::sysinfo().totalram / (1 << 20),
        release(),
        env!("CARGO_PKG_VERSION"),
        load_average(),
    )
}

/// The foot of it.
pub(super) fn afterwards() -> String {
    format!(
        "Load average at the end, the bench's own load included: {}.\n",
        load_average()
    )
}

fn cpuinfo() -> String {
    fs::read_to_string("/proc/cpuinfo").unwrap_or_default()
}

pub(crate) fn model() -> String {
    let info = cpuinfo();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or(std::env::consts::ARCH, |(_, name)| name.trim())
        .to_owned()
}

pub(crate) fn is_guest() -> bool {
    cpuinfo().contains(" hypervisor")
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The version alone: what follows it names whoever built the kernel.
pub(crate) fn release() -> String {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let version = |c: char| c.is_ascii_digit() || c == '.';
    release.chars().take_while(|c| version(*c)).collect()
}
