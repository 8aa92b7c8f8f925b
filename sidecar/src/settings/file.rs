//! Settings in TOML: every value with its line and column, every problem at once.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::document::{Document, read_text};
use super::layer::{Given, Layer};
use super::problem::Problem;
use super::table::{self, Form, Setting};

/// Which settings a table of them may have, and which of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// An agent's file, all of it.
    Agent,
    /// An agent's file, of which only the settings of the protocol count.
    ProtocolOfAgent,
    /// The settings of the protocol and no others.
    Protocol,
}

/// Reads the settings of a file; what cannot be taken goes to `problems`.
pub(super) fn read(path: &Path, scope: Scope, problems: &mut Vec<Problem>) -> Layer {
    match read_text(path) {
        Ok(text) => of_text(path, &text, scope, problems),
        Err(error) => {
            let path = path.display().to_string();
            let error = error.to_string();
            problems.push(match scope {
                Scope::Agent => Problem::Unreadable { path, error },
                Scope::ProtocolOfAgent | Scope::Protocol => Problem::NoFile { path, error },
            });
            Layer::default()
        }
    }
}

/// The settings that the text of the file at `path` gives.
pub(super) fn of_text(path: &Path, text: &str, scope: Scope, problems: &mut Vec<Problem>) -> Layer {
    let (document, table) = Document::parse(path, text, problems);
    from_table(&document, table.get_ref(), scope, problems)
}

/// The settings that a table of a document gives.
pub(crate) fn from_table(
    document: &Document<'_>,
    table: &DeTable<'_>,
    scope: Scope,
    problems: &mut Vec<Problem>,
) -> Layer {
    let mut reader = Reader {
        document,
        scope,
        layer: Layer::default(),
        found: problems,
    };
    for (key, value) in table {
        reader.top_level(key, value);
    }
    reader.layer
}

struct Reader<'a> {
    document: &'a Document<'a>,
    scope: Scope,
    layer: Layer,
    found: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn top_level(&mut self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let setting = table::find(key.get_ref());
        let Some(setting) = setting.filter(|setting| self.is_known(setting)) else {
            self.unknown(key, setting.is_some());
            return;
        };
        if self.scope != Scope::Agent && !setting.is_protocol() {
            return;
        }
        match (&setting.form, value.get_ref()) {
            (Form::List(_), DeValue::Array(items)) => {
                items.iter().for_each(|item| self.text(setting, item));
            }
            (Form::Tags, DeValue::Table(tags)) => {
                tags.iter()
                    .for_each(|(key, value)| self.tag(setting, key, value));
            }
            (Form::Text | Form::Mode | Form::Duration | Form::Choice, DeValue::String(_)) => {
                self.text(setting, value);
            }
            (Form::Switch, DeValue::Boolean(chosen)) => {
                self.number(setting, value, Some(chosen.to_string()));
            }
            (Form::Count | Form::Choice, DeValue::Integer(number)) => {
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

    fn is_known(&self, setting: &Setting) -> bool {
        self.scope != Scope::Protocol || setting.is_protocol()
    }

    fn unknown(&mut self, key: &Spanned<DeString<'_>>, is_of_agent: bool) {
        if !self.document.has_key(&key.span()) {
            return;
        }
        let place = self.document.place(key.span().start);
        let word = key.get_ref().to_string();
        let nearest = table::nearest(&word, |setting| self.is_known(setting));
        self.found.push(if is_of_agent {
            Problem::OfAgent { place, key: word }
        } else {
            Problem::Unknown {
                place,
                what: "setting",
                key: word,
                nearest: nearest.map(str::to_owned),
            }
        });
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
        self.document.has_value(at).then(|| Given {
            text,
            shown: self.document.shown(at),
            name: name.to_owned(),
            place: self.document.place(at.start),
        })
    }
}
