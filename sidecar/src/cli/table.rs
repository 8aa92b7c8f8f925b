//! Columns of text that fit the terminal.

use std::io::{self, IsTerminal};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Between two columns.
const GAP: &str = "  ";

/// A flexible column is never made narrower than this.
const NARROWEST: usize = 8;

/// What a text means, which is shown as a colour where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// A heading or a name to look at.
    Strong,
    /// Of less interest.
    Faint,
    /// All is well.
    Good,
    /// In doubt.
    Warning,
    /// Gone.
    Bad,
}

impl Tone {
    /// The parameter of the terminal's SGR sequence.
    fn code(self) -> &'static str {
        match self {
            Tone::Plain => "0",
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
        }
    }
}

/// How text may look where it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether to send colours.
    pub(super) colour: bool,
    /// Columns of the terminal; none when the text goes elsewhere and must not be cut.
    pub(super) width: Option<usize>,
}

impl Look {
    /// Neither colour nor width: what a file or a pipe gets.
    pub(super) const PLAIN: Look = Look {
        colour: false,
        width: None,
    };

    /// How standard output may look: colour only on a terminal and without `NO_COLOR`.
    pub(super) fn of_stdout() -> Look {
        if !io::stdout().is_terminal() {
            return Look::PLAIN;
        }
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = crossterm::terminal::size()
            .ok()
            .map(|(columns, _)| usize::from(columns));
        Look {
            colour: !set("NO_COLOR") && !dumb,
            width: width.filter(|width| *width > 0),
        }
    }

    /// `text` in the colour of `tone`, or as it is.
    pub(super) fn paint(self, text: &str, tone: Tone) -> String {
        if !self.colour || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{}m{text}\x1b[0m", tone.code())
    }

    /// Cells one after the other without gaps, cut with `…` at the width.
    pub(super) fn line(self, cells: &[Cell]) -> String {
        let mut line = String::new();
        let mut room = self.width.unwrap_or(usize::MAX);
        for (position, cell) in cells.iter().enumerate() {
            let rest: usize = cells[position..].iter().map(|cell| cell.text.width()).sum();
            let text = shorten(&cell.text, room);
            room -= text.width().min(room);
            line.push_str(&self.paint(&text, cell.tone));
            if room == 0 && rest > text.width() {
                break;
            }
        }
        line
    }
}

/// One cell: its text and its tone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with a tone. Characters that would move the cursor are replaced.
    pub(super) fn new(text: impl AsRef<str>, tone: Tone) -> Cell {
        Cell {
            text: printable(text.as_ref()),
            tone,
        }
    }

    /// A cell without a tone.
    pub(super) fn plain(text: impl AsRef<str>) -> Cell {
        Cell::new(text, Tone::Plain)
    }
}

/// Rows under headings. All columns are as wide as their widest cell but one, the flexible column,
/// which is cut with `…` when the row would not fit.
#[derive(Clone, Debug)]
pub(super) struct Table {
    headings: Vec<String>,
    right: Vec<bool>,
    flexible: Option<usize>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table. A heading that starts with `>` makes its column right-aligned, one that
    /// starts with `~` makes it the flexible one.
    pub(super) fn new(headings: &[&str]) -> Table {
        Table {
            headings: headings
                .iter()
                .map(|heading| heading.trim_start_matches(['>', '~']).to_owned())
                .collect(),
            right: headings
                .iter()
                .map(|heading| heading.starts_with('>'))
                .collect(),
            flexible: headings.iter().position(|heading| heading.starts_with('~')),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing at its end are empty.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row: Vec<Cell> = cells.into_iter().collect();
        row.resize(self.headings.len(), Cell::default());
        self.rows.push(row);
    }

    /// The lines of the table, headings first, without line ends.
    pub(super) fn lines(&self, look: Look) -> Vec<String> {
        let widths = self.widths(look.width);
        let headings: Vec<Cell> = self
            .headings
            .iter()
            .map(|heading| Cell::new(heading, Tone::Strong))
            .collect();
        std::iter::once(&headings)
            .chain(&self.rows)
            .map(|row| self.line(row, &widths, look))
            .collect()
    }

    /// Whether it fits without losing more than the end of its flexible column.
    pub(super) fn fits(&self, look: Look) -> bool {
        let widths = self.widths(look.width);
        let total = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        look.width.is_none_or(|limit| total <= limit)
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .headings
            .iter()
            .map(|heading| heading.width())
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let total = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        if let (Some(limit), Some(flexible)) = (limit, self.flexible)
            && total > limit
        {
            let least = widths[flexible].min(NARROWEST);
            widths[flexible] = widths[flexible].saturating_sub(total - limit).max(least);
        }
        widths
    }

    fn line(&self, row: &[Cell], widths: &[usize], look: Look) -> String {
        let mut line = String::new();
        let mut used = 0;
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let gap = if column == 0 { "" } else { GAP };
            let room = look
                .width
                .map_or(usize::MAX, |limit| limit.saturating_sub(used + gap.len()));
            let text = shorten(&cell.text, (*width).min(room));
            let padding = " ".repeat((*width).min(room).saturating_sub(text.width()));
            let painted = look.paint(&text, cell.tone);
            used += gap.len() + text.width() + padding.len();
            line.push_str(gap);
            let (before, after) = if self.right[column] {
                (&*padding, "")
            } else {
                ("", &*padding)
            };
            line.extend([before, &painted, after]);
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// `text` cut to at most `width` columns, with `…` as its last one when something is missing.
pub(super) fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let mut kept = String::new();
    let mut used = 0;
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(letter);
    }
    kept.push('…');
    kept
}

/// `text` without anything that a terminal would obey: control characters and those that change
/// the direction of writing become `�`.
pub(super) fn printable(text: &str) -> String {
    let obeyed = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars()
        .map(|letter| if obeyed(letter) { '\u{fffd}' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests;
