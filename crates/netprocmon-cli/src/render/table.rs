//! A table that fits: columns aligned, one of them shrunk or the least important left out where the
//! terminal is narrow.

use netprocmon::text::{cut, escape, width};

use super::{Style, Terminal};

/// Between two columns.
const GAP: usize = 2;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    head: &'static str,
    align: Align,
    /// What happens to it where there is too little room.
    give: Give,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Give {
    /// Nothing.
    Stay,
    /// It is cut, down to this many columns.
    Shrink(usize),
    /// It is left out; the highest number goes first.
    LeaveOut(u8),
}

impl Column {
    /// Text, left-aligned.
    pub(crate) const fn text(head: &'static str) -> Self {
        Self {
            head,
            align: Align::Left,
            give: Give::Stay,
        }
    }

    /// A number, right-aligned.
    pub(crate) const fn number(head: &'static str) -> Self {
        Self {
            align: Align::Right,
            ..Self::text(head)
        }
    }

    /// May be cut down to `least` columns.
    pub(crate) const fn shrinks_to(self, least: usize) -> Self {
        Self {
            give: Give::Shrink(least),
            ..self
        }
    }

    /// May be left out; the highest `turn` goes first.
    pub(crate) const fn leaves(self, turn: u8) -> Self {
        Self {
            give: Give::LeaveOut(turn),
            ..self
        }
    }
}

/// What stands in a row and column: safe for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell(String);

impl Cell {
    /// Text that came from outside: escaped here.
    pub(crate) fn outside(text: &str) -> Self {
        Self(escape(text).into_owned())
    }

    /// Nothing.
    pub(crate) const fn empty() -> Self {
        Self(String::new())
    }
}

impl From<String> for Cell {
    /// Our own text, such as a number.
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// How a row stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Normal,
    Bold,
    Quiet,
}

/// Columns and rows.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<(Weight, [Cell; N])>,
    /// A line of its own below the row with this number, from the left edge on.
    lines: Vec<(usize, String)>,
}

impl<const N: usize> Table<N> {
    pub(crate) const fn new(columns: [Column; N]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: [Cell; N]) {
        self.rows.push((Weight::Normal, cells));
    }

    /// A row that sums up.
    pub(crate) fn total(&mut self, cells: [Cell; N]) {
        self.rows.push((Weight::Bold, cells));
    }

    /// A row that matters less.
    pub(crate) fn aside(&mut self, cells: [Cell; N]) {
        self.rows.push((Weight::Quiet, cells));
    }

    /// A line that belongs to the last row and keeps to no column. Escaped here.
    pub(crate) fn line(&mut self, text: &str) {
        self.lines
            .push((self.rows.len(), escape(text).into_owned()));
    }

    /// The head and all rows, a newline after each.
    pub(crate) fn render(&self, terminal: Terminal) -> String {
        let layout = self.layout(terminal.columns());
        let heads = self.columns.map(|column| Cell::from(column.head));
        let mut text = self.render_row(&layout, &heads, Weight::Bold, terminal.style);
        text.push_str(&self.body(&layout, terminal));
        text
    }

    fn body(&self, layout: &[Option<usize>; N], terminal: Terminal) -> String {
        let mut text = String::new();
        let mut lines = self.lines.iter().peekable();
        for (number, (weight, cells)) in self.rows.iter().enumerate() {
            text.push_str(&self.render_row(layout, cells, *weight, terminal.style));
            while let Some((_, line)) = lines.next_if(|(after, _)| *after == number + 1) {
                let line = terminal
                    .columns()
                    .map_or(line.as_str().into(), |columns| cut(line, columns));
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    /// The width of each column; `None` where it is left out.
    fn layout(&self, columns: Option<usize>) -> [Option<usize>; N] {
        let mut widths: [Option<usize>; N] = std::array::from_fn(|index| {
            let cells = self.rows.iter().map(|(_, cells)| width(&cells[index].0));
            cells.chain([width(self.columns[index].head)]).max()
        });
        let Some(columns) = columns else {
            return widths;
        };
        let used = |widths: &[Option<usize>; N]| {
            let kept = widths.iter().flatten();
            kept.clone().sum::<usize>() + GAP * kept.count().saturating_sub(1)
        };
        loop {
            let excess = used(&widths).saturating_sub(columns);
            if excess == 0 {
                return widths;
            }
            let shrinking =
                (0..N).find_map(|index| match (self.columns[index].give, widths[index]) {
                    (Give::Shrink(least), Some(wide)) if wide > least => Some((index, least, wide)),
                    _ => None,
                });
            if let Some((index, least, wide)) = shrinking {
                widths[index] = Some(wide.saturating_sub(excess).max(least));
                continue;
            }
            let leaving = (0..N)
                .filter(|&index| widths[index].is_some())
                .filter_map(|index| match self.columns[index].give {
                    Give::LeaveOut(turn) => Some((turn, index)),
                    _ => None,
                })
                .max();
            match leaving {
                Some((_, index)) => widths[index] = None,
                None => return widths,
            }
        }
    }

    fn render_row(
        &self,
        layout: &[Option<usize>; N],
        cells: &[Cell; N],
        weight: Weight,
        style: Style,
    ) -> String {
        let mut line = String::new();
        let kept = (0..N).filter_map(|index| Some((index, layout[index]?)));
        for (position, (index, columns)) in kept.enumerate() {
            if position > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            let text = cut(&cells[index].0, columns);
            let padding = " ".repeat(columns.saturating_sub(width(&text)));
            match self.columns[index].align {
                Align::Left => line.extend([&*text, &*padding]),
                Align::Right => line.extend([&*padding, &*text]),
            }
        }
        let line = line.trim_end();
        let mut line = match weight {
            Weight::Normal => line.to_owned(),
            Weight::Bold => style.bold(line),
            Weight::Quiet => style.quiet(line),
        };
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<3> {
        let mut table = Table::new([
            Column::text("NAME").shrinks_to(4),
            Column::number("SENT"),
            Column::number("PACKETS").leaves(1),
        ]);
        table.row([
            Cell::outside("日本語\x1b[2J"),
            "1.00 KiB".into(),
            "7".into(),
        ]);
        table.row([Cell::outside("x"), "-".into(), "12345".into()]);
        table
    }

    fn at(columns: usize) -> Terminal {
        Terminal {
            size: Some((columns, 24)),
            style: Style::Plain,
        }
    }

    #[test]
    fn wide_characters_line_up_and_escapes_are_visible() {
        assert_eq!(
            table().render(Terminal::NONE),
            "NAME               SENT  PACKETS\n\
             日本語\\x1b[2J  1.00 KiB        7\n\
             x                     -    12345\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 14..60 {
            for line in table().render(at(columns)).lines() {
                assert!(width(line) <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn the_name_shrinks_before_a_column_goes() {
        let narrow = table().render(at(30));
        assert!(narrow.contains("PACKETS"), "{narrow}");
        assert!(
            narrow.contains("日本語…") || narrow.contains('…'),
            "{narrow}"
        );
        assert!(!table().render(at(20)).contains("PACKETS"));
    }
}
