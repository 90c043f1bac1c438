//! The report that is published (docs/accuracy.md): one line a row, grouped as the table is.
//!
//! It sums up; [`super::details`] has every comparison. What failed, was skipped or was played
//! twice stands in words below the table that it belongs to.

use std::fmt::Write as _;

use super::{Check, Row, Sums, Tally, Tolerance};
use crate::bench::machine;
use crate::peer::company::Seen;

/// What the report says of the run itself.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What was typed.
    pub command: String,
    /// Our own commit, when it is known.
    pub revision: Option<String>,
    /// The peers that watched, and their versions.
    pub peers: Vec<(&'static str, Option<String>)>,
}

/// The whole report in Markdown.
#[must_use]
pub fn markdown(run: &Run, rows: &[Row]) -> String {
    let mut text = head(run, rows);
    let mut room = "";
    for (at, row) in rows.iter().enumerate() {
        if row.room != room {
            room = row.room;
            text.push_str(&table_head(room, run));
        }
        text.push_str(&line(row, run));
        if rows.get(at + 1).is_none_or(|next| next.room != room) {
            text.push_str(&remarks(rows.iter().filter(|row| row.room == room)));
        }
    }
    text
}

fn head(run: &Run, rows: &[Row]) -> String {
    let mut tally = Tally::default();
    for row in rows {
        tally.add(&row.outcome);
    }
    let checks = || rows.iter().flat_map(|row| row.outcome.checks());
    let judged = checks().filter(|check| check.judged).count();
    let wrong = checks().filter(|check| !check.passed).count();
    let exact = checks().filter(|check| check.apart == Some(0)).count();
    let numbers = checks().filter(|check| check.apart.is_some()).count();
    let told = checks().count() - judged;
    let (passed, failed, skipped) = (tally.passed, tally.failed, tally.skipped);
    let version = env!("CARGO_PKG_VERSION");
    let revision = run.revision.as_ref();
    let revision = revision.map_or(String::new(), |commit| format!(", commit {commit}"));
    let mut text = format!(
        "# Accuracy\n\n\
         What netprocmon counted, beside what the kernel and the traffic's own generators say, in \
         every row of the lab's table. Written by the lab, not by hand.\n\n\
         | | |\n|---|---|\n\
         | made by | `{}` |\n\
         | rows | {}: {passed} passed, {failed} failed, {skipped} skipped |\n\
         | comparisons | {}: {} right, {wrong} wrong, {} only told; {} of {} numbers \
         are right to the last digit |\n\
         | kernel | Linux {} |\n\
         | processors | {}, {}{} |\n\
         | netprocmon | {version}{revision} |\n",
        run.command,
        rows.len(),
        grouped(checks().count() as u64),
        grouped((judged - wrong) as u64),
        grouped(told as u64),
        grouped(exact as u64),
        grouped(numbers as u64),
        machine::release(),
        machine::cores(),
        machine::model(),
        if machine::is_guest() {
            ", a virtual machine"
        } else {
            ""
        },
    );
    if !run.peers.is_empty() {
        let peers = run.peers.iter().map(|(name, version)| match version {
            Some(version) => format!("{name} {version}"),
            None => format!("{name} (not there)"),
        });
        let _ = writeln!(
            text,
            "| beside it | {} |",
            peers.collect::<Vec<_>>().join(", ")
        );
    }
    text.push_str(LEGEND);
    if run
        .peers
        .iter()
        .any(|(name, _)| name.starts_with("source "))
    {
        text.push_str(SOURCES);
    }
    if !run.peers.is_empty() {
        text.push_str(PEERS);
        text.push_str(&score(run, rows));
        text.push_str(&own_words(run, rows));
    }
    text
}

const LEGEND: &str = "
- **truth**: IP bytes, sent and received, at every device that the row's sockets used, at both ends:
  the devices' own counters less the link-layer header of each packet. **ours**: what we counted
  there. **difference**: ours less the truth.
- **payload**: what the processes' own calls sent and received, by the generators' count, and how
  far ours is from it (±).
- **compared**: so many comparisons were made, of bytes, packets and payload of each interface and
  process, of names, reasons and sums. **most**: the largest difference between any two numbers
  that were to be the same. Each has to be 0 while the sockets are open. Once they are closed, a
  process's payload still has to be exact, and an interface may be off by 0.1 % or 2,000 bytes,
  which is what the last packets of a connection, that have no socket any more, come to.
- **pass ¹**: the kernel shows a part of the row's bytes to no socket, or shows them otherwise than
  the device counts them, or a table was too small on purpose. The row passes when exactly the rest
  is charged and the difference is said: as a share that is not explained, or under its reason.
- **told**: numbers that are not judged, such as a time. **-**: the row compares other things.
- A row that could not run is SKIPPED, with the reason below its table; it has not passed.
";

const SOURCES: &str = "
Our own sources watched too, each in a program of its own (`netprocmon watch --source ebpf`, `packet`,
`sockdiag`): their columns are the same share of bytes on the right process as the other tools' are.
`source sockdiag` knows payload alone, of TCP, so some 96 % is all that there is for it, and nothing of
datagrams.
";

const PEERS: &str = "
Other tools watched the same rows in the same run, in the network namespace of the clients (a tool
sees only one), on the interfaces that the row used there. They had said something before the
traffic began, and had six rounds of a second more with the sockets still open, so that they could
look the owners up; one more when all was closed. `rustnet-monitor` ran without its sandbox, in
which it finds no process where its own BPF programs cannot be loaded. A column is the share of the
bytes at those interfaces (IP bytes, as above) that the tool put on the right process by pid, on
each process at most what it moved; `bandwhich` tells names and no pids, so the right name is right
there. Over loopback each packet is sent by one process and received by another: a tool that charges
one of them gets half. `bandwhich` leaves IP headers out: 98 % is all that there is for packets of a
thousand bytes. A name that breaks a tool's own lines is not understood.

- In brackets, where it is more than 10 %: what the tool put on processes beyond that, on wrong ones
  or more than they moved, of which link-layer headers and packets seen twice can be a part.
- **-**: there was nothing that it could see (the processes are in namespaces of their own, or the row
  is about the monitor itself), or it could not be started, for the reason below. **died**: it ended
  before the row did.
";

/// How the peers fared over all rows.
fn score(run: &Run, rows: &[Row]) -> String {
    let mut text = "\n| of the rows | ≥ 95 % | 50–95 % | 1–50 % | < 1 % | died | - |\n\
                    |---|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for (at, (name, _)) in run.peers.iter().enumerate() {
        let mut counts = [0; 6];
        for row in rows {
            let class = match row.seen.get(at) {
                Some(Seen::Share(share, _)) if share.right >= 0.95 => 0,
                Some(Seen::Share(share, _)) if share.right >= 0.5 => 1,
                Some(Seen::Share(share, _)) if share.right >= 0.01 => 2,
                Some(Seen::Share(..)) => 3,
                Some(Seen::Died) => 4,
                Some(Seen::Absent(_) | Seen::Nothing) | None => 5,
            };
            counts[class] += 1;
        }
        let counts = counts.map(|count: usize| count.to_string());
        let _ = writeln!(text, "| {name} | {} |", counts.join(" | "));
    }
    text
}

/// What a peer says of itself, or why it could not be started; once each.
fn own_words(run: &Run, rows: &[Row]) -> String {
    let mut text = String::new();
    for (at, (name, _)) in run.peers.iter().enumerate() {
        let seen = rows.iter().filter_map(|row| row.seen.get(at));
        let mut words: Vec<_> = seen
            .filter_map(|seen| match seen {
                Seen::Share(_, note) if note.is_empty() => None,
                Seen::Share(_, words) | Seen::Absent(words) => Some(words),
                Seen::Died | Seen::Nothing => None,
            })
            .collect();
        words.sort();
        words.dedup();
        for words in words {
            let _ = write!(text, "\n- {name}: {}", plain(words));
        }
    }
    text.push('\n');
    text
}

fn table_head(room: &str, run: &Run) -> String {
    let mut text = format!(
        "\n## {room}\n\n| scenario | truth | ours | difference | payload | compared | most | result |"
    );
    for (name, _) in &run.peers {
        let _ = write!(text, " {name} |");
    }
    text.push_str("\n|---|---:|---:|---:|---:|---:|---:|---|");
    text.push_str(&"---:|".repeat(run.peers.len()));
    text.push('\n');
    text
}

fn line(row: &Row, run: &Run) -> String {
    let mut cells = vec![plain(row.name)];
    cells.extend(sums(row.sums));
    let checks = row.outcome.checks();
    cells.push(compared(checks));
    cells.push(most(checks));
    cells.push(result(row));
    for at in 0..run.peers.len() {
        cells.push(row.seen.get(at).map_or("-".to_owned(), Seen::to_string));
    }
    format!("| {} |\n", cells.join(" | "))
}

/// Truth, ours, difference, payload.
fn sums(sums: Option<Sums>) -> [String; 4] {
    let Some(sums) = sums else {
        return ["-", "-", "-", "-"].map(str::to_owned);
    };
    [
        grouped(sums.wire),
        sums.our_wire.map_or("-".to_owned(), grouped),
        signed(sums.wire, sums.our_wire),
        match signed(sums.payload, sums.our_payload).as_str() {
            "0" => format!("{} ±0", grouped(sums.payload)),
            other => format!("{} {other}", grouped(sums.payload)),
        },
    ]
}

fn compared(checks: &[Check]) -> String {
    let judged = checks.iter().filter(|check| check.judged).count();
    match checks.len() - judged {
        0 => judged.to_string(),
        told => format!("{judged}, {told} told"),
    }
}

/// The largest difference, with its unit.
fn most(checks: &[Check]) -> String {
    let most = checks.iter().max_by_key(|check| check.apart);
    let Some((check, apart)) = most.and_then(|check| Some((check, check.apart?))) else {
        return "-".to_owned();
    };
    let unit = match &check.what {
        _ if apart == 0 => "",
        what if what.contains("packets") => " packets",
        what if what.contains("bytes") || what.contains("payload") => " B",
        _ => "",
    };
    format!("{}{unit}", grouped(apart))
}

fn result(row: &Row) -> String {
    let outcome = &row.outcome;
    if outcome.word() != "pass" {
        return outcome.word().to_owned();
    }
    if outcome.checks().iter().all(|check| !check.judged) {
        return "told".to_owned();
    }
    let all = row.sums.is_none_or(|sums| {
        let wire = sums
            .our_wire
            .map(|ours| Tolerance::Bytes.takes(sums.wire, ours));
        wire != Some(false) && sums.our_payload == Some(sums.payload)
    });
    if all { "pass" } else { "pass ¹" }.to_owned()
}

/// What is to be said of rows in words.
fn remarks<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut text = String::new();
    for row in rows {
        if let Some(reason) = &row.again {
            let _ = writeln!(
                text,
                "- {}: played twice, because the lab itself broke before anything was compared: {}",
                plain(row.name),
                plain(reason)
            );
        }
        if let Some(reason) = row.outcome.reason() {
            let word = row.outcome.word();
            let _ = writeln!(text, "- {}: {word}: {}", plain(row.name), plain(reason));
        }
        for check in row.outcome.checks().iter().filter(|check| !check.passed) {
            let _ = writeln!(
                text,
                "- {}: FAIL: {}: truth {}, ours {}, difference {}",
                plain(row.name),
                plain(&check.what),
                plain(&check.truth),
                plain(&check.ours),
                plain(&check.difference)
            );
        }
    }
    if text.is_empty() {
        return text;
    }
    format!("\n{text}")
}

/// Text that cannot break out of its cell or its line, and names no directory of this machine.
fn plain(text: &str) -> String {
    let words = text
        .split_whitespace()
        .map(|word| match word.rsplit_once('/') {
            Some((path, last)) if path.starts_with('/') || path.is_empty() => last,
            _ => word,
        });
    words.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn signed(truth: u64, ours: Option<u64>) -> String {
    let Some(ours) = ours else {
        return "-".to_owned();
    };
    let sign = match ours.cmp(&truth) {
        std::cmp::Ordering::Less => "−",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "+",
    };
    format!("{sign}{}", grouped(ours.abs_diff(truth)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::share::Share;
    use crate::report::Outcome;

    fn row(checks: Vec<Check>, ours: u64) -> Row {
        Row {
            room: "TCP",
            name: "a row",
            outcome: Outcome::Ran(checks),
            sums: Some(Sums {
                wire: 1_234_567,
                our_wire: Some(ours),
                payload: 1000,
                our_payload: Some(1000),
            }),
            seen: vec![Seen::Share(
                Share {
                    right: 0.996,
                    beyond: 0.5,
                },
                String::new(),
            )],
            again: None,
        }
    }

    fn run() -> Run {
        Run {
            peers: vec![("other", None)],
            ..Run::default()
        }
    }

    fn number(ours: u64) -> Check {
        Check::number("left0 bytes sent", 5000, Some(ours), Tolerance::Bytes)
    }

    #[test]
    fn a_row_is_one_line() {
        let told = Check::measured("time", "3 ms");
        let row = row(vec![number(4948), number(5000), told], 1_234_515);
        assert_eq!(
            line(&row, &run()),
            "| a row | 1,234,567 | 1,234,515 | −52 | 1,000 ±0 | 2, 1 told | 52 B | pass | \
             99 % (+50 %) |\n"
        );
    }

    #[test]
    fn what_is_not_all_there_is_marked() {
        let row = row(vec![number(5000)], 1_000_000);
        assert_eq!(result(&row), "pass ¹");
    }

    #[test]
    fn only_told_is_not_passed() {
        let row = row(vec![Check::measured("time", "3 ms")], 1_234_567);
        assert_eq!(result(&row), "told");
    }

    #[test]
    fn what_failed_and_what_was_skipped_stand_below() {
        let mut skipped = row(Vec::new(), 0);
        skipped.outcome = Outcome::Skipped("no /usr/bin/sctp|".to_owned());
        let failed = row(vec![number(1)], 1);
        let text = markdown(&run(), &[failed, skipped]);
        assert!(text.contains("1 failed, 1 skipped"), "{text}");
        assert!(text.contains("- a row: FAIL: left0 bytes sent: truth 5000, ours 1, difference"));
        assert!(text.contains("- a row: SKIPPED: no sctp\\|"));
    }
}
