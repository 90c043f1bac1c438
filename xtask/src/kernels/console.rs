//! What a guest said on its console: marks of ours, the lab's lines, and noise of the firmware's
//! and of the kernel's. QEMU's exit status says nothing, so only what was said counts.

use serde_json::Value;

/// Marks that the guest's script prints, at the beginning of what follows.
pub(super) const RELEASE: &str = "@release ";
pub(super) const STARTED: &str = "@started ";
pub(super) const LOCKED: &str = "@lockdown";
pub(super) const CLOCK: &str = "@clock ";
pub(super) const DONE: &str = "@done";

/// One row of the lab, as it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    /// `pass`, `FAIL` or `SKIPPED`.
    pub(super) word: &'static str,
    /// The lines behind it, where it did not pass.
    pub(super) why: Vec<String>,
}

/// What was said, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) release: String,
    /// What the command said when it was started, where that is no snapshot: why it cannot.
    pub(super) refusal: Option<String>,
    /// The source of its numbers.
    pub(super) source: Option<String>,
    /// What it says that it does not see.
    pub(super) degradations: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// The rows under `lockdown=confidentiality`; `None` where the kernel has no lockdown.
    pub(super) locked: Option<Vec<Row>>,
    /// Numbers went on as they should when the clock was set back.
    pub(super) clock_is_no_matter: bool,
    /// It came to its end.
    pub(super) done: bool,
}

impl Said {
    /// Reads a console.
    pub(super) fn parse(console: &str) -> Self {
        let mut said = Self::default();
        for line in console.lines() {
            let line = line.trim_end();
            if let Some((_, release)) = line.split_once(RELEASE) {
                release.clone_into(&mut said.release);
            } else if let Some(json) = line.strip_prefix(STARTED) {
                said.read_start(json);
            } else if let Some(json) = line.strip_prefix(CLOCK) {
                said.clock_is_no_matter = survived_the_clock(json).unwrap_or(false);
            } else if line == LOCKED {
                said.locked = Some(Vec::new());
            } else if line == DONE {
                said.done = true;
            } else {
                said.read_row(line);
            }
        }
        said
    }

    fn read_start(&mut self, text: &str) {
        let Ok(snapshot) = serde_json::from_str::<Value>(text) else {
            self.refusal = Some(text.to_owned());
            return;
        };
        self.source = snapshot["source"].as_str().map(str::to_owned);
        let all = snapshot["degradations"].as_array().into_iter().flatten();
        let message = |one: &Value| one["message"].as_str().unwrap_or_default().to_owned();
        self.degradations = all.map(message).collect();
    }

    fn read_row(&mut self, line: &str) {
        let rows = self.locked.as_mut().unwrap_or(&mut self.rows);
        let word = ["pass", "FAIL", "SKIPPED"]
            .into_iter()
            .find(|word| line.starts_with(&format!("{word:<8}")));
        if let Some(word) = word {
            let name = line[8..].split(" (").next().unwrap_or_default();
            rows.push(Row {
                name: name.to_owned(),
                word,
                why: Vec::new(),
            });
        } else if let Some(row) = rows.last_mut()
            && line.starts_with("        ")
            && row.word != "pass"
            && !line.trim_start().starts_with("ok ")
        {
            row.why.push(line.trim().to_owned());
        }
    }

    /// It counts with this source, and says what it misses where that is not the best; it ran to its
    /// end, and no row failed. A row that was run under lockdown must not be skipped there either.
    pub(super) fn is_good(&self, source: &str) -> bool {
        let passed = |row: &Row| row.word == "pass";
        self.done
            && self.source.as_deref() == Some(source)
            && (source == "ebpf" || !self.degradations.is_empty())
            && !self.rows.is_empty()
            && !self.rows.iter().any(|row| row.word == "FAIL")
            && self
                .locked
                .as_ref()
                .is_none_or(|rows| !rows.is_empty() && rows.iter().all(passed))
            && self.clock_is_no_matter
    }
}

/// A snapshot that was taken when the clock had been set back by years: `ping` is in it with what it
/// moved, at a rate that it can have, and only seconds have passed.
fn survived_the_clock(json: &str) -> Option<bool> {
    let snapshot: Value = serde_json::from_str(json).ok()?;
    let elapsed = snapshot["elapsed_seconds"].as_f64()?;
    let processes = snapshot["processes"].as_array()?;
    let ping = processes.iter().find(|one| one["name"] == "ping")?;
    let rate = ping["rates"]["sent"].as_f64()?;
    Some(
        snapshot["time"].as_str()?.starts_with("2020-01-01T")
            && (1.0..600.0).contains(&elapsed)
            && ping["bytes_sent"].as_u64()? > 0
            && (0.0..100_000.0).contains(&rate),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "\u{1b}[2J@release 6.1.0-56-cloud-amd64\r\n\
        @started {\"source\":\"ebpf\",\"degradations\":[{\"message\":\"no names\"}]}\r\n\
        pass    tcp up, IPv4 (74 comparisons)\r\n\
        FAIL    udp\r\n        ok   a\r\n        FAIL b truth 1 ours 2\r\n\
        [   74.0] reboot: Power down\r\n@lockdown\r\npass    udp (3 comparisons)\r\n";
    const CLOCK: &str = "@clock {\"time\":\"2020-01-01T00:00:01.5Z\",\"elapsed_seconds\":2.0,\
        \"processes\":[{\"name\":\"ping\",\"bytes_sent\":168,\"rates\":{\"sent\":84.0}}]}\n";

    #[test]
    fn rows_marks_and_noise_are_told_apart() {
        let said = Said::parse(CONSOLE);
        assert_eq!(said.release, "6.1.0-56-cloud-amd64");
        assert_eq!(said.degradations, ["no names"]);
        assert_eq!(said.rows.len(), 2);
        assert_eq!(said.rows[0].name, "tcp up, IPv4");
        assert_eq!(said.rows[1].why, ["FAIL b truth 1 ours 2"]);
        assert_eq!(said.locked.as_ref().map(Vec::len), Some(1));
        assert!(!said.clock_is_no_matter);
    }

    #[test]
    fn only_a_guest_that_came_to_its_end_without_a_failure_is_good() {
        let good = CONSOLE.replace(
            "FAIL    udp\r\n        ok   a\r\n        FAIL b truth 1 ours 2",
            "",
        );
        let good = format!("{good}{CLOCK}@done\n");
        let is_good = |console: &str| Said::parse(console).is_good("ebpf");
        assert!(is_good(&good));
        assert!(!is_good(&format!("{CONSOLE}{CLOCK}@done\n")));
        assert!(!is_good(&good.replace("@done", "")));
        assert!(!is_good(&good.replace("@started", "started")));
        assert!(!is_good(&good.replace("pass    udp", "SKIPPED udp")));
        assert!(!is_good(
            &good.replace("\"elapsed_seconds\":2.0", "\"elapsed_seconds\":-2e8")
        ));
        assert!(!is_good(&good.replace("\"sent\":84.0", "\"sent\":8e9")));
        assert!(!is_good("@release 6.1\n@done\n"));
    }

    #[test]
    fn another_source_has_to_say_what_it_misses() {
        let console = "@started {\"source\":\"packet\",\"degradations\":[{\"message\":\"x\"}]}\n\
                       pass    packets: udp (3 comparisons)\n";
        let console = format!("{console}{CLOCK}@done\n");
        let is_good = |console: &str, source| Said::parse(console).is_good(source);
        assert!(is_good(&console, "packet"));
        assert!(!is_good(&console, "ebpf"));
        assert!(!is_good(
            &console.replace("{\"message\":\"x\"}", ""),
            "packet"
        ));
        assert!(!is_good(&console.replace("pass", "FAIL"), "packet"));
        assert!(!is_good("@started netprocmon: no\n@done\n", "packet"));
    }
}
