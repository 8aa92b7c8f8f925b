//! `muster dev` without a terminal: plain lines, the table again whenever it changed.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::super::table::Look;
use super::Picture;

/// A table is shown once it stood still for so long: what changes together is shown together.
const SETTLED: Duration = Duration::from_millis(300);

/// What was shown last.
#[derive(Debug)]
pub(super) struct Plain {
    shown: Vec<String>,
    present: Vec<String>,
    changed: Instant,
    after_table: bool,
}

impl Plain {
    /// Nothing was shown yet.
    pub(super) fn new() -> Plain {
        Plain {
            shown: Vec::new(),
            present: Vec::new(),
            changed: Instant::now(),
            after_table: false,
        }
    }

    /// Shows what came since the last call.
    pub(super) fn show(&mut self, picture: &Picture<'_>, news: &[String]) -> io::Result<()> {
        let mut lines: Vec<String> = news.to_vec();
        let mut table = vec![Look::PLAIN.line(&picture.title)];
        table.extend(picture.table.lines(Look::PLAIN));
        if table != self.present {
            self.present = table;
            self.changed = Instant::now();
        }
        if self.present != self.shown && self.changed.elapsed() >= SETTLED {
            if self.shown.is_empty() {
                lines.push(String::new());
                lines.extend(picture.hints.iter().map(|hint| Look::PLAIN.line(hint)));
            }
            self.shown.clone_from(&self.present);
            if !(lines.is_empty() && self.after_table) {
                lines.push(String::new());
            }
            lines.extend_from_slice(&self.shown);
            lines.push(String::new());
        }
        let Some(last) = lines.last() else {
            return Ok(());
        };
        self.after_table = last.is_empty();
        let mut out = io::stdout().lock();
        out.write_all((lines.join("\n") + "\n").as_bytes())?;
        out.flush()
    }
}
