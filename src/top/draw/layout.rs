//! Which lines of the terminal belong to what.

use ratatui::layout::Rect;

/// From top to bottom; what there is no room for has no lines.
pub(in crate::top) struct Layout {
    pub(super) header: Rect,
    pub(super) bars: Rect,
    pub(super) sparklines: Rect,
    pub(super) table: Rect,
    pub(super) failures: Rect,
    pub(super) footer: Rect,
    /// Table and failures together.
    pub(super) body: Rect,
    /// All between header and last line.
    pub(super) below_header: Rect,
}

impl Layout {
    /// For a terminal of this size.
    pub(in crate::top) fn new(width: u16, height: u16) -> Self {
        let (bars, sparklines, failures) = match height {
            ..16 => (0, 0, 0),
            16..20 => (0, 1, 0),
            20..30 => (4, 1, 4),
            30..45 => (6, 2, 7),
            45.. => (9, 2, 11),
        };
        let (header, footer) = (2, 1);
        let table = height.saturating_sub(header + bars + sparklines + failures + footer);
        let mut y = 0;
        let mut next = |height| {
            let area = Rect::new(0, y, width, height);
            y += height;
            area
        };
        let (header, bars, sparklines) = (next(header), next(bars), next(sparklines));
        let (table, failures, footer) = (next(table), next(failures), next(footer));
        let body = Rect {
            height: table.height + failures.height,
            ..table
        };
        let below_header = Rect {
            y: header.height,
            height: height.saturating_sub(header.height + footer.height),
            ..table
        };
        Self {
            header,
            bars,
            sparklines,
            table,
            failures,
            footer,
            body,
            below_header,
        }
    }

    /// Lines for rows of the table, below its two lines of heading.
    pub(in crate::top) fn table_rows(&self) -> usize {
        usize::from(self.table.height.saturating_sub(2))
    }

    /// Lines for failures, below their heading.
    pub(in crate::top) fn failure_rows(&self) -> usize {
        usize::from(self.failures.height.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_belongs_to_something_at_every_height() {
        for height in 10..200 {
            let layout = Layout::new(80, height);
            let all = [
                layout.header,
                layout.bars,
                layout.sparklines,
                layout.table,
                layout.failures,
                layout.footer,
            ];
            let lines: u16 = all.iter().map(|area| area.height).sum();
            assert_eq!(lines, height);
            assert!(layout.table_rows() >= 5, "{height}");
        }
    }
}
