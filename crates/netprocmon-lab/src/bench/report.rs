//! The report: Markdown, one section a measurement, every target beside its figure.

use std::fmt::Write as _;

use super::sample::Sample;

/// What a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// It is shown, and that is all.
    None,
    /// Not above this.
    AtMost(f64),
    /// Not below this.
    AtLeast(f64),
}

/// One line of a section's table.
#[derive(Clone, Debug)]
pub struct Row {
    what: String,
    figure: String,
    spread: String,
    target: String,
    verdict: &'static str,
}

/// What one measurement gives.
#[derive(Clone, Debug)]
pub struct Section {
    title: String,
    /// How it was measured.
    how: String,
    rows: Vec<Row>,
    /// Ready-made Markdown after the rows.
    more: String,
}

impl Row {
    /// A sample, with as many decimals as mean something.
    pub(super) fn new(
        what: impl Into<String>,
        sample: &Sample,
        unit: &str,
        decimals: usize,
        target: Target,
    ) -> Self {
        let shown = |figure: f64| format!("{figure:.decimals$}");
        let (least, most) = (sample.least(), sample.most());
        let median = sample.median();
        let (target, met) = match target {
            Target::None => (String::new(), None),
            Target::AtMost(limit) => (format!("≤ {limit} {unit}"), Some(median <= limit)),
            Target::AtLeast(limit) => (format!("≥ {limit} {unit}"), Some(median >= limit)),
        };
        Self {
            what: what.into(),
            figure: format!("{} {unit}", shown(median)).trim_end().to_owned(),
            spread: format!("{}–{} ({})", shown(least), shown(most), sample.len()),
            target: target.trim_end().to_owned(),
            verdict: match (sample.len(), met) {
                (0, _) => "not measured",
                (_, None) => "",
                (_, Some(true)) => "met",
                (_, Some(false)) => "**missed**",
            },
        }
    }
}

impl Section {
    pub(super) fn new(title: &str, how: &str) -> Self {
        Self {
            title: title.to_owned(),
            how: how.to_owned(),
            rows: Vec::new(),
            more: String::new(),
        }
    }

    /// A measurement that could not be made.
    pub(super) fn broken(title: &str, error: &anyhow::Error) -> Self {
        Self::new(title, &format!("**Not measured**: {error:#}."))
    }

    pub(super) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds ready-made Markdown after the rows.
    pub(super) fn append(&mut self, markdown: &str) {
        self.more.push_str(markdown);
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.how);
        if !self.rows.is_empty() {
            text.push_str("| what | median | min–max (n) | target | |\n|---|---|---|---|---|\n");
        }
        for row in &self.rows {
            let Row {
                what,
                figure,
                spread,
                target,
                verdict,
            } = row;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {what} | {figure} | {spread} | {target} | {verdict} |"
            );
        }
        if !self.rows.is_empty() {
            text.push('\n');
        }
        if !self.more.is_empty() {
            text.push_str(&self.more);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(figures: &[f64], target: Target) -> &'static str {
        Row::new("x", &figures.iter().copied().collect(), "ns", 0, target).verdict
    }

    #[test]
    fn a_missed_target_is_said_and_nothing_measured_is_not_met() {
        assert_eq!(verdict(&[45.0], Target::AtMost(45.0)), "met");
        assert_eq!(verdict(&[45.1], Target::AtMost(45.0)), "**missed**");
        assert_eq!(verdict(&[0.97], Target::AtLeast(0.98)), "**missed**");
        assert_eq!(verdict(&[], Target::AtMost(45.0)), "not measured");
    }
}
