use unicode_width::UnicodeWidthStr;

use super::{Cell, Look, NARROWEST, Table, Tone, printable, shorten};

fn table() -> Table {
    let mut table = Table::new(&["NAME", ">RTT", "~TAGS"]);
    table.row(["n1", "0.214 ms", "zone=a role=database rack=17"].map(Cell::plain));
    table.row(["long-name", "-", "zone=b"].map(Cell::plain));
    table
}

fn wide(columns: usize) -> Look {
    Look {
        colour: false,
        width: Some(columns),
    }
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    assert_eq!(
        table().lines(Look::PLAIN),
        [
            "NAME            RTT  TAGS",
            "n1         0.214 ms  zone=a role=database rack=17",
            "long-name         -  zone=b",
        ]
    );
}

#[test]
fn the_flexible_column_is_cut_when_the_terminal_is_narrow() {
    assert_eq!(
        table().lines(wide(36)),
        [
            "NAME            RTT  TAGS",
            "n1         0.214 ms  zone=a role=da…",
            "long-name         -  zone=b",
        ]
    );
}

#[test]
fn a_table_that_fits_is_not_cut() {
    assert_eq!(table().lines(wide(49)), table().lines(Look::PLAIN));
    assert!(table().lines(wide(48)).concat().contains('…'));
}

#[test]
fn no_line_is_wider_than_the_terminal_whatever_is_in_it() {
    let mut table = table();
    table.row(["名前は長い", "12 ms", "ключ=значение 鍵=値値値値値値値値"].map(Cell::plain));
    table.row(["e\u{301}e\u{301}", "👩‍🚀", "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂"].map(Cell::plain));
    for columns in 0..80 {
        for line in table.lines(wide(columns)) {
            assert!(
                line.width() <= columns,
                "{} > {columns}: {line:?}",
                line.width()
            );
        }
    }
}

#[test]
fn wide_characters_keep_the_columns_aligned() {
    let mut table = Table::new(&["NAME", "X"]);
    table.row(["日本", "1"].map(Cell::plain));
    table.row(["abcd", "2"].map(Cell::plain));
    assert_eq!(table.lines(Look::PLAIN), ["NAME  X", "日本  1", "abcd  2"]);
}

#[test]
fn missing_cells_are_empty() {
    let mut table = Table::new(&["A", "B"]);
    table.row([Cell::plain("1")]);
    assert_eq!(table.lines(Look::PLAIN), ["A  B", "1"]);
}

#[test]
fn the_flexible_column_keeps_a_readable_width() {
    let mut table = Table::new(&["NAME", "~TAGS"]);
    table.row([Cell::plain("n"), Cell::plain("x".repeat(30))]);
    let widths = table.widths(Some(1));
    assert_eq!(widths, [4, NARROWEST]);
}

#[test]
fn colour_adds_no_width_and_only_where_there_is_a_tone() {
    let mut table = Table::new(&["STATE", "ADDR"]);
    table.row([Cell::new("alive", Tone::Good), Cell::plain("127.0.0.1:1")]);
    let look = Look {
        colour: true,
        width: None,
    };
    assert_eq!(table.lines(look)[1], "\x1b[32malive\x1b[0m  127.0.0.1:1");
}

#[test]
fn a_line_of_cells_is_cut_as_a_whole() {
    let cells = [
        Cell::new("12.345 ", Tone::Faint),
        Cell::plain("member-left "),
        Cell::plain("n3"),
    ];
    assert_eq!(wide(21).line(&cells), "12.345 member-left n3");
    assert_eq!(wide(20).line(&cells), "12.345 member-left …");
    assert_eq!(wide(10).line(&cells), "12.345 me…");
    assert_eq!(wide(7).line(&cells).width(), 7);
    assert_eq!(wide(0).line(&cells), "");
}

#[test]
fn shortening_marks_what_is_missing() {
    assert_eq!(shorten("abc", 3), "abc");
    assert_eq!(shorten("abcd", 3), "ab…");
    assert_eq!(shorten("abcd", 1), "…");
    assert_eq!(shorten("abcd", 0), "");
    // A character of two columns does not fit beside the mark.
    assert_eq!(shorten("日本", 3), "日…");
    assert_eq!(shorten("日本語", 4), "日…");
}

#[test]
fn what_a_terminal_would_obey_is_shown_instead() {
    assert_eq!(
        printable("a\x1b[31mb\u{202e}c\r"),
        "a\u{fffd}[31mb\u{fffd}c\u{fffd}"
    );
    let mut table = Table::new(&["A"]);
    table.row([Cell::plain("x\ny")]);
    assert_eq!(table.lines(Look::PLAIN)[1], "x\u{fffd}y");
}
