//! `muster dev` on a terminal: a table and the events, drawn anew when something changed, and a
//! prompt line at the bottom.

use std::io::{self, Write};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{self, ClearType};
use crossterm::{cursor, execute, queue};

use super::super::table::{Look, Tone, shorten};
use super::Picture;

/// At least so many lines of events are shown, however long the table is.
const EVENTS_LEAST: usize = 5;

/// Longest line that can be typed.
const TYPED: usize = 200;

/// Lines that the up key brings back.
const HISTORY: usize = 50;

const PROMPT: &str = "> ";

/// Clears the rest of a line.
const CLEAR: terminal::Clear = terminal::Clear(ClearType::UntilNewLine);

/// The terminal while it is drawn on; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    prompt: Prompt,
    drawn: Vec<String>,
}

/// What a key asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Nothing yet.
    Nothing,
    /// A whole line.
    Line(String),
    /// The end.
    Quit,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn take() -> io::Result<Screen> {
        terminal::enable_raw_mode()?;
        let screen = Screen {
            prompt: Prompt::default(),
            drawn: Vec::new(),
        };
        execute!(io::stdout(), terminal::EnterAlternateScreen)?;
        Ok(screen)
    }

    /// What a key or a change of the terminal's size means.
    pub(super) fn handle(&mut self, event: &Event) -> Typed {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.prompt.key(*key),
            Event::Resize(..) => {
                // What was drawn may be anywhere now.
                self.drawn.clear();
                Typed::Nothing
            }
            Event::Key(_) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) => {
                Typed::Nothing
            }
        }
    }

    /// Draws everything, unless it is all there already.
    pub(super) fn draw(&mut self, picture: &Picture<'_>) -> io::Result<()> {
        let (columns, rows) = terminal::size()?;
        let (columns, rows) = (usize::from(columns).max(1), usize::from(rows).max(1));
        let look = Look {
            width: Some(columns),
            ..Look::of_stdout()
        };
        let mut lines = layout(picture, look, rows - 1);
        let typed = shorten(&self.prompt.line, columns.saturating_sub(PROMPT.len() + 1));
        lines.push(format!("{}{typed}", look.paint(PROMPT, Tone::Strong)));
        if lines == self.drawn {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        queue!(
            out,
            terminal::BeginSynchronizedUpdate,
            cursor::Hide,
            cursor::MoveTo(0, 0)
        )?;
        // Cleared before and not after: behind the last column it would take the last character.
        write!(out, "{CLEAR}{}", lines.join(&format!("\r\n{CLEAR}")))?;
        queue!(out, cursor::Show, terminal::EndSynchronizedUpdate)?;
        self.drawn = lines;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

/// Exactly `rows` lines: table and hints as far as they fit, then the newest events.
fn layout(picture: &Picture<'_>, look: Look, rows: usize) -> Vec<String> {
    let mut table = picture.table.lines(look);
    let around = picture.hints.len() + 5;
    let table_rows = rows.saturating_sub(around + EVENTS_LEAST).max(2);
    if table.len() > table_rows {
        let hidden = table.len() - (table_rows - 1);
        table.truncate(table_rows - 1);
        table.push(look.paint(&format!("… and {hidden} more"), Tone::Faint));
    }
    let mut lines = vec![look.line(&picture.title), String::new()];
    lines.extend(table);
    lines.push(String::new());
    lines.extend(picture.hints.iter().map(|hint| look.line(hint)));
    lines.push(String::new());
    let heading = shorten(
        "EVENTS, each once, with who saw it when",
        look.width.unwrap_or(80),
    );
    lines.push(look.paint(&heading, Tone::Strong));
    let room = rows.saturating_sub(lines.len());
    lines.extend(picture.story.last(room).map(|line| look.line(&line)));
    lines.resize(rows, String::new());
    lines
}

/// The line that is being typed.
#[derive(Debug, Default)]
struct Prompt {
    line: String,
    history: Vec<String>,
    /// How many lines back in the history; 0 is the line being typed.
    back: usize,
}

impl Prompt {
    fn key(&mut self, key: KeyEvent) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if let KeyCode::Char(letter) = key.code {
            return if control {
                self.control(letter)
            } else {
                self.letter(letter)
            };
        }
        if key.code == KeyCode::Enter {
            return self.enter();
        }
        if key.code == KeyCode::Backspace {
            self.line.pop();
        } else if key.code == KeyCode::Up {
            self.recall(self.back + 1);
        } else if key.code == KeyCode::Down {
            self.recall(self.back.saturating_sub(1));
        }
        Typed::Nothing
    }

    fn control(&mut self, letter: char) -> Typed {
        match letter {
            'c' => return Typed::Quit,
            'd' if self.line.is_empty() => return Typed::Quit,
            'u' => self.line.clear(),
            _ => {}
        }
        Typed::Nothing
    }

    fn letter(&mut self, letter: char) -> Typed {
        if self.line.len() < TYPED {
            self.line.push(letter);
        }
        Typed::Nothing
    }

    fn enter(&mut self) -> Typed {
        self.back = 0;
        let line = std::mem::take(&mut self.line);
        if !line.trim().is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
            if self.history.len() > HISTORY {
                self.history.remove(0);
            }
        }
        Typed::Line(line)
    }

    fn recall(&mut self, back: usize) {
        self.back = back.min(self.history.len());
        let position = self.history.len() - self.back;
        self.line = self.history.get(position).cloned().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
