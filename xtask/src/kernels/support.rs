//! What came out, for a terminal and for docs/kernels.md: one table, a column a kernel.

use std::fmt::Write as _;

use super::console::{Row, Said};
use super::{Outcome, Tried};

const HEAD: &str = "\
# Other kernels

Written by `cargo xtask kernels --report docs/kernels.md`, which boots kernels as Debian serves them
in small guests (QEMU without acceleration) and runs the command and some of the lab's rows in each:
with the same generators, and against the same counters of the kernel's, as everywhere else
([accuracy.md](accuracy.md) has all rows on one kernel). Each hook is loaded on its own, and what a
kernel refuses is said; only what is run again on 7.x goes by the version number. *exact*: each
comparison of the row holds (accuracy.md says to what); *holds*: a row of the packet source, whose
totals are exact and whose owners are found as often as the row asks.

";

const TAIL: &str = "
What differs:

- **7.x**: tasks may be preempted in a tracepoint, and the kernel then skips the tracepoint's program for
  others on that processor until they are back (`recursion_misses` in `/proc/PID/fdinfo`): in the guest,
  which is slow, 7 of some 4,000 calls and ends of processes. So these programs are there three
  times, and each does what those before it were not run for. (Two were not enough: with a thousand
  processes that wait for two slow processors both were skipped for one of them in two of three runs.)
  Should all be skipped at once, the call's payload is missing, and a process whose end was skipped is
  found to be gone, with the name that it was born with; the command says how often that can have been
  (`skipped`). Wire bytes are not concerned.
- **6.3 and later**: two tracepoints tell of every call that sends or receives.
- **5.11 to 6.2**: programs behind the kernel's own functions (`fexit`) tell the same. A datagram that
  was received by a call which waited already when the monitor started is missing from the payload.
  Where functions cannot be traced (some architectures and configurations), payload is unknown
  (`null`), and owners are told by the packets that a process sends and by `connect` and `accept`.
- **5.10** is before sockets have storage that tracing programs may use, and its verifier takes none
  of these programs. `--source auto` takes the packet source there: wire bytes per interface are
  exact, owners are looked up when a flow begins, and payload is unknown; that is said with the numbers.
- **lockdown=confidentiality**: programs may not read the memory of processes. One that ends before
  it is looked at has its name, its parent and its bytes, and no arguments. Before 6.15, what the
  kernel sends by itself, such as answers to pings, is then under no interface.
- **Up to 6.1**, a SYN-ACK over IPv6 goes out without its socket: 80 bytes of each connection that is
  accepted are in the interface's counters and not in ours.
";

/// The document.
pub(super) fn markdown(tried: &[Tried]) -> String {
    let mut text = HEAD.to_owned();
    let _ = writeln!(text, "{}{}{TAIL}", rows(tried), degradations(tried));
    text
}

/// The same for a terminal, with what failed.
pub(super) fn table(tried: &[Tried]) -> String {
    let mut text = String::new();
    for one in tried {
        let _ = match &one.outcome {
            Outcome::Skipped(why) => writeln!(text, "SKIPPED Linux {}: {why}", one.line),
            Outcome::Broke(why) => writeln!(text, "FAIL    {why}"),
            Outcome::Booted(said) => writeln!(text, "Linux {}: {}", said.release, verdict(said)),
        };
        if let Outcome::Booted(said) = &one.outcome {
            for row in said.rows.iter().chain(said.locked.iter().flatten()) {
                let _ = writeln!(text, "  {:<8}{}", row.word, row.name);
                for why in &row.why {
                    let _ = writeln!(text, "          {why}");
                }
            }
        }
    }
    text
}

fn verdict(said: &Said) -> String {
    let locked = match &said.locked {
        None => "no lockdown to try",
        Some(rows) if rows.iter().all(|row| row.word == "pass") => "under lockdown too",
        Some(_) => "not under lockdown",
    };
    if let Some(why) = &said.refusal {
        return format!("does not start: {}", brief(why));
    }
    let clock = if said.clock_is_no_matter {
        "the clock set back is no matter"
    } else {
        "NOT right when the clock is set back"
    };
    let passed = said.rows.iter().filter(|row| row.word == "pass").count();
    format!(
        "{passed} of {} rows passed, {locked}, {clock}",
        said.rows.len()
    )
}

/// Rows by kernel; the rows that were run again under lockdown are rows of their own.
fn rows(tried: &[Tried]) -> String {
    let mut text = "| |".to_owned();
    for one in tried {
        let _ = match &one.outcome {
            Outcome::Booted(said) => {
                write!(text, " {} |", said.release.replace("-cloud-amd64", ""))
            }
            Outcome::Broke(_) => write!(text, " {} (**broke off**) |", one.line),
            Outcome::Skipped(_) => write!(text, " {} (not tested) |", one.line),
        };
    }
    text.push_str("\n|---|");
    text.push_str(&":---:|".repeat(tried.len()));
    text.push('\n');
    for (locked, name) in names(tried) {
        let suffix = if locked {
            ", `lockdown=confidentiality`"
        } else {
            ""
        };
        let _ = write!(text, "| {name}{suffix} |");
        for one in tried {
            let _ = write!(text, " {} |", word(one, locked, name));
        }
        text.push('\n');
    }
    text
}

/// Every row that any of them ran, in order.
fn names(tried: &[Tried]) -> Vec<(bool, &str)> {
    let mut names = Vec::new();
    for locked in [false, true] {
        for row in tried.iter().flat_map(|one| ran(one, locked)) {
            if !names.contains(&(locked, row.name.as_str())) {
                names.push((locked, row.name.as_str()));
            }
        }
    }
    names
}

fn ran(one: &Tried, locked: bool) -> &[Row] {
    match &one.outcome {
        Outcome::Booted(said) if locked => said.locked.as_deref().unwrap_or_default(),
        Outcome::Booted(said) => &said.rows,
        Outcome::Broke(_) | Outcome::Skipped(_) => &[],
    }
}

fn word(one: &Tried, locked: bool, name: &str) -> &'static str {
    let row = ran(one, locked).iter().find(|row| row.name == name);
    match row.map(|row| row.word) {
        Some("pass") if name.starts_with("packets: ") => "holds",
        Some("pass") => "exact",
        Some("FAIL") => "**fails**",
        Some(_) => "skipped",
        None => "-",
    }
}

/// The beginning of a message, without what would break a table.
fn brief(text: &str) -> String {
    let text = text.split("Verifier output").next().unwrap_or_default();
    let text = text.trim().trim_start_matches("netprocmon: ");
    text.chars().take(200).collect()
}

fn degradations(tried: &[Tried]) -> String {
    let mut text =
        "\nWhich source `auto` takes there, and what the command says that it does not see:\n\n"
            .to_owned();
    for one in tried {
        let Outcome::Booted(said) = &one.outcome else {
            continue;
        };
        let release = said.release.replace("-cloud-amd64", "");
        let source = said.source.as_deref().unwrap_or("none");
        let all = match (&said.refusal, &said.degradations[..]) {
            (Some(why), _) => format!("it does not start there ({})", brief(why)),
            (None, []) => "nothing".to_owned(),
            (None, all) => all.join("; "),
        };
        let _ = writeln!(text, "- {release} (source: {source}): {all}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_was_not_tested_has_no_result() {
        let row = |word| Row {
            name: "tcp up, IPv4".to_owned(),
            word,
            why: Vec::new(),
        };
        let said = Said {
            release: "6.1.0-56-cloud-amd64".to_owned(),
            source: Some("ebpf".to_owned()),
            refusal: None,
            degradations: Vec::new(),
            clock_is_no_matter: true,
            rows: vec![row("pass")],
            locked: Some(vec![row("FAIL")]),
            done: true,
        };
        let tried = [
            Tried {
                line: "6.1",
                outcome: Outcome::Booted(said),
            },
            Tried {
                line: "6.12",
                outcome: Outcome::Skipped("no mirror".to_owned()),
            },
        ];
        let text = markdown(&tried);
        assert!(text.contains("| | 6.1.0-56 | 6.12 (not tested) |"));
        assert!(text.contains("| tcp up, IPv4 | exact | - |"));
        assert!(text.contains("| tcp up, IPv4, `lockdown=confidentiality` | **fails** | - |"));
        assert!(text.contains("- 6.1.0-56 (source: ebpf): nothing"));
        assert!(table(&tried).contains("SKIPPED Linux 6.12: no mirror"));
    }
}
