//! A TOML text in which everything has its place: the settings' file, and files like it.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use super::problem::{Place, Problem};

/// Largest file that is read.
const FILE_BYTES: u64 = 1024 * 1024;

/// Longest piece of the file that a message repeats, in characters.
const SHOWN: usize = 60;

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES {
        return Err(std::io::Error::other(format!(
            "it has more than {FILE_BYTES} bytes"
        )));
    }
    Ok(text)
}

/// What is needed to say where in a text something stands.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    path: &'a Path,
    text: &'a str,
    /// Lines that are no TOML: what was made of them is not judged a second time.
    broken: BTreeSet<usize>,
}

impl<'a> Document<'a> {
    /// Parses the text of the file at `path`; what is no TOML goes to `problems`.
    pub(crate) fn parse(
        path: &'a Path,
        text: &'a str,
        problems: &mut Vec<Problem>,
    ) -> (Document<'a>, Spanned<DeTable<'a>>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut document = Document {
            path,
            text,
            broken: BTreeSet::new(),
        };
        for error in errors {
            let start = error.span().map_or(0, |at| at.start);
            document.broken.insert(document.position(start).0);
            let message = error.message().to_owned();
            let place = document.place(start);
            problems.push(Problem::Syntax { place, message });
        }
        (document, table)
    }

    /// Where something stands that begins at this offset.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let (line, column) = self.position(offset);
        let path = self.path.to_owned();
        Place::File { path, line, column }
    }

    /// The value as it stands in the file, on one line.
    pub(crate) fn shown(&self, at: &Range<usize>) -> String {
        let source = self.text.get(at.clone()).unwrap_or_default();
        let mut shown: String = source.lines().next().unwrap_or_default().to_owned();
        if shown.chars().count() > SHOWN || source.lines().count() > 1 {
            shown = shown.chars().take(SHOWN).chain("...".chars()).collect();
        }
        shown
    }

    /// Whether a key is the author's, not the parser's guess about a line that it cannot read.
    pub(crate) fn has_key(&self, at: &Range<usize>) -> bool {
        !self.broken.contains(&self.position(at.start).0)
    }

    /// The same of a value.
    pub(crate) fn has_value(&self, at: &Range<usize>) -> bool {
        // The parser puts a value nowhere that it made up for one that it cannot read.
        let is_made_up = at.is_empty() && !self.broken.is_empty();
        !is_made_up && self.has_key(at)
    }

    /// Line and column of an offset, both from 1.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}
