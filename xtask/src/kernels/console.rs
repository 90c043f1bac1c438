//! What a guest said on its console: marks of ours, the lab's lines, and noise of the firmware's
//! and of the kernel's. QEMU's exit status says nothing, so only what was said counts.

use serde_json::Value;

/// Marks that the guest's script prints, at the beginning of what follows.
pub(super) const RELEASE: &str = "@release ";
pub(super) const STARTED: &str = "@started ";
pub(super) const LOCKED: &str = "@lockdown";
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
    /// What the command says that it does not see; `None` where it did not start.
    pub(super) degradations: Option<Vec<String>>,
    pub(super) rows: Vec<Row>,
    /// The rows under `lockdown=confidentiality`; `None` where the kernel has no lockdown.
    pub(super) locked: Option<Vec<Row>>,
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
                said.degradations = degradations(json);
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

    /// It started, ran to its end, and no row failed.
    pub(super) fn is_good(&self) -> bool {
        let mut rows = self.rows.iter().chain(self.locked.iter().flatten());
        self.done
            && self.degradations.is_some()
            && !self.rows.is_empty()
            && self.locked.as_ref().is_none_or(|rows| !rows.is_empty())
            && !rows.any(|row| row.word == "FAIL")
    }
}

/// Of a snapshot as the command prints it.
fn degradations(json: &str) -> Option<Vec<String>> {
    let snapshot: Value = serde_json::from_str(json).ok()?;
    let all = snapshot["degradations"].as_array()?.iter();
    let message = |one: &Value| one["message"].as_str().unwrap_or_default().to_owned();
    Some(all.map(message).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "\u{1b}[2J@release 6.1.0-56-cloud-amd64\r\n\
        @started {\"degradations\":[{\"message\":\"no names\"}]}\r\n\
        pass    tcp up, IPv4 (74 comparisons)\r\n\
        FAIL    udp\r\n        ok   a\r\n        FAIL b truth 1 ours 2\r\n\
        [   74.0] reboot: Power down\r\n@lockdown\r\npass    udp (3 comparisons)\r\n";

    #[test]
    fn rows_marks_and_noise_are_told_apart() {
        let said = Said::parse(CONSOLE);
        assert_eq!(said.release, "6.1.0-56-cloud-amd64");
        assert_eq!(said.degradations, Some(vec!["no names".to_owned()]));
        assert_eq!(said.rows.len(), 2);
        assert_eq!(said.rows[0].name, "tcp up, IPv4");
        assert_eq!(said.rows[1].why, ["FAIL b truth 1 ours 2"]);
        assert_eq!(said.locked.as_ref().map(Vec::len), Some(1));
    }

    #[test]
    fn only_a_guest_that_came_to_its_end_without_a_failure_is_good() {
        let good = CONSOLE.replace("FAIL ", "SKIPPED ") + "@done\n";
        let good = good.replace("SKIPPED b", "b");
        assert!(Said::parse(&good).is_good());
        assert!(!Said::parse(CONSOLE).is_good());
        assert!(!Said::parse(&good.replace("@done", "")).is_good());
        assert!(!Said::parse(&good.replace("@started", "started")).is_good());
        assert!(!Said::parse("@release 6.1\n@done\n").is_good());
    }
}
