//! Runs the system's own tools (`ip`, `nft`, `ethtool`, `bpftool`) and says what failed.
//!
//! They are slow and simple on purpose: a second opinion must not come from our own netlink code.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a program to its end and gives its standard output.
///
/// Fails when it cannot be started or does not exit with 0; the error carries the command line and
/// its standard error.
pub fn run(program: &str, args: &[&str]) -> Result<String> {
    finish(program, args, None)
}

/// The same, with `input` on its standard input.
pub fn run_with_input(program: &str, args: &[&str], input: &str) -> Result<String> {
    finish(program, args, Some(input))
}

fn finish(program: &str, args: &[&str], input: Option<&str>) -> Result<String> {
    let line = || format!("{program} {}", args.join(" "));
    let mut child = Command::new(program)
        .args(args)
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", line()))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin
            .write_all(input.as_bytes())
            .with_context(|| format!("write to {}", line()))?;
    }
    let output = child
        .wait_with_output()
        .with_context(|| format!("wait for {}", line()))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {} ({})", line(), error.trim(), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of this name is on the path (or in the directories that only root's has).
#[must_use]
pub fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::split_paths(&path);
    let roots = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(Into::into);
    own.chain(roots).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_its_complaint() {
        let error = run("sh", &["-c", "echo no such thing >&2; exit 3"]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no such thing") && text.contains("exit status: 3"));
    }

    #[test]
    fn input_reaches_the_program() {
        assert_eq!(run_with_input("cat", &[], "a line").unwrap(), "a line");
    }

    #[test]
    fn what_is_not_installed_does_not_exist() {
        assert!(exists("sh"));
        assert!(!exists("no-such-program-here"));
    }
}
