//! `doctor` with the capabilities that somebody has: what works, what does not, and what would mend
//! it. setpriv(1) gives a user of no rights the ones that are named.
#![allow(clippy::unwrap_used, clippy::panic)] // a test's helpers may, as its tests do

mod common;

use std::process::{Command, Output, Stdio};

use common::ForAnybody;
use serde_json::Value;

/// As `nobody` with these capabilities, by the names that setpriv takes.
fn doctor_with(here: &ForAnybody, capabilities: &[&str], arguments: &[&str]) -> Output {
    let caps = [&["-all"], capabilities].concat().join(",+");
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps", &caps, "--ambient-caps", &caps])
        .arg(here.program())
        .arg("doctor")
        .args(arguments)
        .stdin(Stdio::null());
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Of each source whether it works, the best first.
fn works(diagnosis: &Value) -> Vec<(&str, bool)> {
    let sources = diagnosis["sources"].as_array().unwrap().iter();
    let one = |source: &'_ Value| source["works"].as_bool().unwrap();
    sources
        .map(|source| (source["source"].as_str().unwrap(), one(source)))
        .collect()
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn what_works_is_what_the_capabilities_are_for() {
    let here = ForAnybody::new();
    let bpf = ["bpf", "perfmon", "net_admin"];
    for (capabilities, expected, status) in [
        (&[][..], [false, false, true], 3),
        (&["net_raw"], [false, true, true], 3),
        (&bpf[..2], [false, false, true], 3),
        (&bpf[1..], [false, false, true], 3),
        (&bpf, [true, false, true], 0),
        (&["sys_admin"], [true, false, true], 0),
    ] {
        let output = doctor_with(&here, capabilities, &["--json"]);
        let diagnosis = json(&output);
        let sources = ["ebpf", "packet", "sockdiag"].into_iter();
        let expected: Vec<_> = sources.zip(expected).collect();
        assert_eq!(works(&diagnosis), expected, "{capabilities:?}");
        assert_eq!(output.status.code(), Some(status), "{capabilities:?}");
        let best = expected.iter().find(|(_, works)| *works).unwrap().0;
        assert_eq!(diagnosis["source"], best, "{capabilities:?}");
        for (name, held) in diagnosis["capabilities"].as_object().unwrap() {
            let given = capabilities.iter().any(|one| *name == format!("cap_{one}"));
            assert_eq!(held, given, "{name} of {capabilities:?}");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn the_remedy_is_a_command_that_names_this_program_and_what_is_missing() {
    let here = ForAnybody::new();
    let diagnosis = json(&doctor_with(&here, &["bpf", "net_admin"], &["--json"]));
    let ebpf = &diagnosis["sources"][0];
    let remedy = ebpf["remedy"].as_str().unwrap();
    assert!(remedy.contains("setcap"), "{remedy}");
    assert!(
        remedy.contains(&format!("'{}'", here.program().display())),
        "{remedy}"
    );
    assert!(
        ebpf["why"].as_str().unwrap().contains("cap_perfmon"),
        "{ebpf}"
    );
    let text = doctor_with(&here, &["bpf", "net_admin"], &[]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("✗ ebpf") && text.contains("✓ sockdiag"),
        "{text}"
    );
    assert!(text.contains(remedy), "{text}");
}

/// In namespaces of its own it says so, and what they hide.
#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn confinement_is_said() {
    let program = assert_cmd::cargo::cargo_bin!("netprocmon");
    let unshared = |flags: &[&str], arguments: &[&str]| {
        let mut command = Command::new("unshare");
        let command = command
            .args(flags)
            .arg(program)
            .arg("doctor")
            .args(arguments);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let inner = json(&unshared(&["--net", "--cgroup"], &["--json"]));
    assert_eq!(inner["namespaces"]["net"], "inner", "{inner}");
    assert_eq!(inner["namespaces"]["cgroup"], "inner", "{inner}");
    assert_eq!(inner["namespaces"]["user"], "initial", "{inner}");
    let text = unshared(&["--net"], &[]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("a network namespace of its own"), "{text}");
    // Capabilities inside of a user namespace are none outside of it.
    let mapped = json(&unshared(&["--user", "--map-root-user"], &["--json"]));
    assert_eq!(works(&mapped)[0], ("ebpf", false), "{mapped}");
    let remedy = mapped["sources"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("user namespace"), "{remedy}");
}
