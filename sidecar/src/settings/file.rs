//! The TOML file: every value with its line and column, every problem at once.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::layer::{Given, Layer};
use super::problem::{Place, Problem};
use super::table::{self, Form, Setting};

/// Largest file that is read.
const FILE_BYTES: u64 = 1024 * 1024;

/// Longest piece of the file that a message repeats, in characters.
const SHOWN: usize = 60;

/// Reads the settings of a file; what cannot be taken goes to `problems`.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Layer {
    match read_text(path) {
        Ok(text) => parse(path, &text, problems),
        Err(error) => {
            let path = path.display().to_string();
            problems.push(Problem::Unreadable {
                path,
                error: error.to_string(),
            });
            Layer::default()
        }
    }
}

fn read_text(path: &Path) -> std::io::Result<String> {
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

pub(super) fn parse(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Layer {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        path,
        text,
        broken: BTreeSet::new(),
        layer: Layer::default(),
        found: Vec::new(),
    };
    for error in errors {
        let start = error.span().map_or(0, |at| at.start);
        let (line, column) = reader.position(start);
        reader.broken.insert(line);
        let place = reader.place(line, column);
        let message = error.message().to_owned();
        reader.found.push(Problem::Syntax { place, message });
    }
    for (key, value) in document.get_ref() {
        reader.top_level(key, value);
    }
    problems.append(&mut reader.found);
    reader.layer
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    /// Lines that are no TOML: what was made of them is not judged a second time.
    broken: BTreeSet<usize>,
    layer: Layer,
    found: Vec<Problem>,
}

impl Reader<'_> {
    fn top_level(&mut self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let Some(setting) = table::find(key.get_ref()) else {
            let nearest = table::nearest(key.get_ref());
            let (line, column) = self.position(key.span().start);
            let (place, key) = (self.place(line, column), key.get_ref().to_string());
            if !self.broken.contains(&line) {
                self.found.push(Problem::Unknown {
                    place,
                    key,
                    nearest,
                });
            }
            return;
        };
        match (&setting.form, value.get_ref()) {
            (Form::List(_), DeValue::Array(items)) => {
                items.iter().for_each(|item| self.text(setting, item));
            }
            (Form::Tags, DeValue::Table(tags)) => {
                tags.iter()
                    .for_each(|(key, value)| self.tag(setting, key, value));
            }
            (Form::Text | Form::Mode | Form::Duration, DeValue::String(_)) => {
                self.text(setting, value);
            }
            (Form::Count, DeValue::Integer(number)) => {
                let digits = u64::from_str_radix(number.as_str(), number.radix());
                self.number(setting, value, digits.ok().map(|n| n.to_string()));
            }
            (Form::Mode, DeValue::Integer(number)) => {
                // `0o660` is octal already; a bare 660 would be decimal and mean something else.
                let octal = (number.radix() == 8).then(|| number.as_str().to_owned());
                self.number(setting, value, octal);
            }
            _ => self.refuse(setting, setting.name, &value.span()),
        }
    }

    fn text(&mut self, setting: &Setting, value: &Spanned<DeValue<'_>>) {
        match value.get_ref().as_str() {
            Some(text) => self.add(setting, setting.name, text.to_owned(), &value.span()),
            None => self.refuse(setting, setting.name, &value.span()),
        }
    }

    fn number(&mut self, setting: &Setting, value: &Spanned<DeValue<'_>>, text: Option<String>) {
        match text {
            Some(text) => self.add(setting, setting.name, text, &value.span()),
            None => self.refuse(setting, setting.name, &value.span()),
        }
    }

    fn tag(
        &mut self,
        setting: &Setting,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let name = format!("tags.{}", key.get_ref());
        match value.get_ref().as_str() {
            Some(text) if !key.get_ref().contains('=') => {
                self.add(
                    setting,
                    &name,
                    format!("{}={text}", key.get_ref()),
                    &value.span(),
                );
            }
            _ => self.refuse(setting, &name, &value.span()),
        }
    }

    fn add(&mut self, setting: &Setting, name: &str, text: String, at: &Range<usize>) {
        if let Some(given) = self.given(name, text, at) {
            self.layer.add(setting.name, given);
        }
    }

    fn refuse(&mut self, setting: &Setting, name: &str, at: &Range<usize>) {
        if let Some(given) = self.given(name, String::new(), at) {
            self.found.push(Problem::value(&given, setting));
        }
    }

    fn given(&self, name: &str, text: String, at: &Range<usize>) -> Option<Given> {
        let (line, column) = self.position(at.start);
        let (shown, place) = (self.shown(at), self.place(line, column));
        let name = name.to_owned();
        // The parser puts a value nowhere that it made up for one that it cannot read.
        let is_made_up = at.is_empty() && !self.broken.is_empty();
        (!is_made_up && !self.broken.contains(&line)).then_some(Given {
            text,
            shown,
            name,
            place,
        })
    }

    /// The value as it stands in the file, on one line.
    fn shown(&self, at: &Range<usize>) -> String {
        let source = self.text.get(at.clone()).unwrap_or_default();
        let mut shown: String = source.lines().next().unwrap_or_default().to_owned();
        if shown.chars().count() > SHOWN || source.lines().count() > 1 {
            shown = shown.chars().take(SHOWN).chain("...".chars()).collect();
        }
        shown
    }

    fn place(&self, line: usize, column: usize) -> Place {
        let path = self.path.to_owned();
        Place::File { path, line, column }
    }

    /// Line and column of an offset, both from 1.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}
