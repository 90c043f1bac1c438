//! The help of each command, as people see it.
#![allow(clippy::unwrap_used)] // a test's helpers may, as its tests do

use assert_cmd::Command;

fn help(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("netprocmon")
        .unwrap()
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn of_each_command() {
    for command in ["run", "top", "watch", "ps", "ports", "man", "completions"] {
        insta::assert_snapshot!(command, help(&[command, "--help"]));
    }
}

#[test]
fn of_the_program() {
    insta::assert_snapshot!("netprocmon", help(&["--help"]));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = help(&["completions", shell]);
        for word in ["watch", "max-bytes"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
}

#[test]
fn the_man_page_names_the_commands_and_the_statuses() {
    let page = help(&["man"]);
    for words in ["netprocmon", "ports", "not permitted"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(help(&["man", "watch"]).contains("interval"));
}
