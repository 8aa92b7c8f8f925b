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

/// The terminal while it is drawn on; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    prompt: Prompt,
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
        };
        execute!(io::stdout(), terminal::EnterAlternateScreen)?;
        Ok(screen)
    }

    /// What a key or a change of the terminal's size means.
    pub(super) fn handle(&mut self, event: &Event) -> Typed {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.prompt.key(*key),
            _ => Typed::Nothing,
        }
    }

    /// Draws everything.
    pub(super) fn draw(&self, picture: &Picture<'_>) -> io::Result<()> {
        let (columns, rows) = terminal::size()?;
        let (columns, rows) = (usize::from(columns).max(1), usize::from(rows).max(1));
        let mut look = Look::of_stdout();
        look.width = Some(columns);
        let lines = layout(picture, look, rows - 1);
        let mut out = io::stdout().lock();
        queue!(
            out,
            terminal::BeginSynchronizedUpdate,
            cursor::Hide,
            cursor::MoveTo(0, 0)
        )?;
        for line in lines {
            write!(out, "{line}")?;
            queue!(out, terminal::Clear(ClearType::UntilNewLine))?;
            write!(out, "\r\n")?;
        }
        let typed = shorten(&self.prompt.line, columns.saturating_sub(PROMPT.len() + 1));
        write!(out, "{}{typed}", look.paint(PROMPT, Tone::Strong))?;
        queue!(out, terminal::Clear(ClearType::UntilNewLine), cursor::Show)?;
        queue!(out, terminal::EndSynchronizedUpdate)?;
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
        match key.code {
            KeyCode::Char('c') if control => return Typed::Quit,
            KeyCode::Char('d') if control && self.line.is_empty() => return Typed::Quit,
            KeyCode::Char('u') if control => self.line.clear(),
            KeyCode::Char(letter) if !control && self.line.len() < TYPED => self.line.push(letter),
            KeyCode::Backspace => {
                self.line.pop();
            }
            KeyCode::Up => self.recall(self.back + 1),
            KeyCode::Down => self.recall(self.back.saturating_sub(1)),
            KeyCode::Enter => return self.enter(),
            _ => {}
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
