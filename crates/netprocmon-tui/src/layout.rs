//! Where things are on the screen: the same for what draws and for what a click means.

use ratatui::layout::Rect;

/// The parts of the screen, from the top; a part without room has no height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) tabs: Rect,
    /// What everybody together moves.
    pub(crate) summary: Rect,
    pub(crate) head: Rect,
    /// Rows of the table.
    pub(crate) body: Rect,
    /// Filter, messages, what cannot be seen.
    pub(crate) status: Rect,
    /// The keys.
    pub(crate) keys: Rect,
}

/// Lines from which on the summary is a chart.
const TALL: u16 = 32;

impl Layout {
    pub(crate) fn of(width: u16, height: u16) -> Self {
        let mut top = 0;
        let mut take = |wanted: u16, left: u16| {
            let lines = wanted.min(left.saturating_sub(top));
            let part = Rect::new(0, top, width, lines);
            top += lines;
            part
        };
        let status = u16::from(height >= 8);
        let keys = u16::from(height >= 10);
        let summary = match height {
            0..8 => 0,
            8..16 => 1,
            16..TALL => 2,
            TALL.. => (height / 5).clamp(7, 12),
        };
        let above = height - status - keys;
        let tabs = take(1, above);
        let summary = take(summary, above);
        let head = take(1, above);
        let body = take(u16::MAX, above);
        let status = take(status, height);
        let keys = take(keys, height);
        Self {
            tabs,
            summary,
            head,
            body,
            status,
            keys,
        }
    }

    /// Rows that can be seen.
    pub(crate) fn page(&self) -> usize {
        self.body.height.into()
    }

    /// Everything between the tabs and the status: for a view that is no table.
    pub(crate) fn whole(&self) -> Rect {
        let height = self.summary.height + self.head.height + self.body.height;
        Rect {
            height,
            ..self.summary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole_screen_and_there_are_rows() {
        for height in 1..120 {
            let Layout {
                tabs,
                summary,
                head,
                body,
                status,
                keys,
            } = Layout::of(80, height);
            let parts = [tabs, summary, head, body, status, keys];
            let sum: u16 = parts.iter().map(|part| part.height).sum();
            assert_eq!(sum, height);
            assert!(body.height >= height / 2 || height < 8, "{height}");
            for pair in parts.windows(2) {
                assert_eq!(pair[0].bottom(), pair[1].y);
            }
        }
    }
}
