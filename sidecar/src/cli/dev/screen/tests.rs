use std::time::SystemTime;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_width::UnicodeWidthStr;

use super::super::story::Story;
use super::{Picture, Prompt, Typed, layout};
use crate::cli::table::{Cell, Look, Table, Tone};

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn control(letter: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)
}

fn typed(prompt: &mut Prompt, text: &str) {
    text.chars()
        .for_each(|letter| assert_eq!(prompt.key(key(KeyCode::Char(letter))), Typed::Nothing));
}

#[test]
fn a_line_is_typed_corrected_and_entered() {
    let mut prompt = Prompt::default();
    typed(&mut prompt, "kill n33");
    prompt.key(key(KeyCode::Backspace));
    assert_eq!(
        prompt.key(key(KeyCode::Enter)),
        Typed::Line("kill n3".to_owned())
    );
    assert_eq!(prompt.line, "");
}

#[test]
fn earlier_lines_come_back() {
    let mut prompt = Prompt::default();
    for line in ["one", "two"] {
        typed(&mut prompt, line);
        prompt.key(key(KeyCode::Enter));
    }
    let mut shown = |code| {
        prompt.key(key(code));
        prompt.line.clone()
    };
    assert_eq!(shown(KeyCode::Up), "two");
    assert_eq!(shown(KeyCode::Up), "one");
    assert_eq!(shown(KeyCode::Up), "one");
    assert_eq!(shown(KeyCode::Down), "two");
    assert_eq!(shown(KeyCode::Down), "");
}

#[test]
fn control_c_ends_and_control_d_only_on_an_empty_line() {
    let mut prompt = Prompt::default();
    assert_eq!(prompt.key(control('d')), Typed::Quit);
    typed(&mut prompt, "x");
    assert_eq!(prompt.key(control('d')), Typed::Nothing);
    assert_eq!(prompt.key(control('u')), Typed::Nothing);
    assert_eq!(prompt.line, "");
    assert_eq!(prompt.key(control('c')), Typed::Quit);
}

#[test]
fn the_layout_fills_any_screen_exactly() {
    let mut story = Story::new(SystemTime::UNIX_EPOCH);
    (0..50).for_each(|n| story.note(SystemTime::UNIX_EPOCH, format!("note {n}"), Tone::Plain));
    let mut table = Table::new(&["NAME", "~SOCKET"]);
    (0..30).for_each(|n| {
        table.row([
            Cell::plain(format!("n{n}")),
            Cell::plain("/tmp/s".repeat(20)),
        ])
    });
    let picture = Picture {
        title: vec![Cell::plain("title ".repeat(30))],
        table,
        hints: vec![vec![Cell::plain("hint ".repeat(30))]; 4],
        story: &story,
    };
    for rows in 0..60 {
        let look = Look {
            colour: false,
            width: Some(40),
        };
        let lines = layout(&picture, look, rows);
        assert_eq!(lines.len(), rows);
        assert!(lines.iter().all(|line| line.width() <= 40));
        if rows < 20 {
            continue;
        }
        assert!(lines[rows - 1].ends_with("note 49"), "{}", lines[rows - 1]);
        assert_eq!(
            lines.iter().any(|line| line.contains("more")),
            rows < 45,
            "{rows} rows"
        );
    }
}
