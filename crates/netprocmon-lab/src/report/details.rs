//! Every comparison of every row, one JSON object a line.

use std::fmt::Write as _;

use serde_json::json;

use super::Row;

/// All of them; a row that compared nothing has one line, with the reason.
#[must_use]
pub fn ndjson(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let head = json!({
            "room": row.room,
            "scenario": row.name,
            "result": row.outcome.word(),
            "reason": row.outcome.reason(),
            "again": row.again,
        });
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{head}");
        for check in row.outcome.checks() {
            let line = json!({
                "scenario": row.name,
                "compared": check.what,
                "truth": check.truth,
                "ours": check.ours,
                "difference": check.difference,
                "judged": check.judged,
                "passed": check.passed,
            });
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Check, Outcome};

    #[test]
    fn each_comparison_is_a_line() {
        let row = Row {
            room: "TCP",
            name: "a row",
            outcome: Outcome::Ran(vec![Check::same("quote \" and\nnewline", 1, 1)]),
            sums: None,
            seen: Vec::new(),
            again: None,
        };
        let text = ndjson(&[row]);
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["result"], "pass");
        assert_eq!(lines[1]["passed"], true);
    }
}
