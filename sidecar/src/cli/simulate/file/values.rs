//! Values of a scenario file: what each key may have, where it stands, and what is wrong with it.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{Origin, Origins};
use crate::settings::{Document, Problem, nearest};

/// How a probability is written.
pub(super) const PROBABILITY: &str = "0 to 1 or \"0%\" to \"100%\"";

/// How a duration is written.
const DURATION: &str = "0s or longer, written like \"500ms\" or \"1m 30s\"";

/// Takes the values of a document and collects what is wrong.
pub(super) struct Reader<'a> {
    document: &'a Document<'a>,
    problems: &'a mut Vec<Problem>,
    pub(super) origins: Origins,
    /// Every key that was asked for, for the test of the documentation.
    #[cfg(test)]
    pub(super) known: std::collections::BTreeSet<&'static str>,
}

/// A table whose keys are taken one by one.
pub(super) struct Fields<'a> {
    /// What stands before its keys in the names of fields: `steps[2].network.`, or nothing.
    prefix: String,
    table: &'a DeTable<'a>,
    at: Range<usize>,
    /// The keys that there may be, known once all have been asked for.
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Of the whole document.
    pub(super) fn new(table: &'a Spanned<DeTable<'a>>) -> Fields<'a> {
        Fields {
            prefix: String::new(),
            table: table.get_ref(),
            at: table.span(),
            known: Vec::new(),
        }
    }

    pub(super) fn table(&self) -> &'a DeTable<'a> {
        self.table
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.get(key)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(document: &'a Document<'a>, problems: &'a mut Vec<Problem>) -> Reader<'a> {
        Reader {
            document,
            problems,
            origins: Origins::new(),
            #[cfg(test)]
            known: std::collections::BTreeSet::new(),
        }
    }

    /// What else reads tables of the same document.
    pub(super) fn parts(&mut self) -> (&'a Document<'a>, &mut Vec<Problem>) {
        (self.document, self.problems)
    }

    /// The value of a key if there is one and it can be taken; `expected` says what can.
    pub(super) fn get<'t, T>(
        &mut self,
        fields: &mut Fields<'t>,
        key: &'static str,
        expected: &str,
        take: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        fields.known.push(key);
        let value = fields.value(key)?;
        let field = format!("{}{key}", fields.prefix);
        let taken = take(value.get_ref());
        let shown = self.note(&field, &value.span(), taken.is_none())?;
        if taken.is_none() {
            self.problems.push(Problem::Value {
                place: self.document.place(value.span().start),
                name: short(&field).to_owned(),
                given: shown,
                allowed: expected.to_owned(),
            });
        }
        taken
    }

    /// Remembers where a field stands, and gives it as it is written there; `None`: what is there
    /// is the parser's guess.
    pub(super) fn note(&mut self, field: &str, at: &Range<usize>, refused: bool) -> Option<String> {
        let is_given = self.document.has_value(at);
        let shown = self.document.shown(at);
        let origin = Origin {
            place: self.document.place(at.start),
            shown: shown.clone(),
            refused: refused || !is_given,
        };
        self.origins.insert(field.to_owned(), origin);
        is_given.then_some(shown)
    }

    /// Remembers where each item of a list stands.
    pub(super) fn note_items(&mut self, fields: &Fields<'_>, key: &str) {
        let items = fields
            .value(key)
            .and_then(|value| value.get_ref().as_array());
        for (number, item) in items.into_iter().flat_map(|items| items.iter()).enumerate() {
            let field = format!("{}{key}[{number}]", fields.prefix);
            self.note(&field, &item.span(), false);
        }
    }

    pub(super) fn text(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
        self.get(fields, key, "a text", |value| {
            value.as_str().map(str::to_owned)
        })
    }

    pub(super) fn truth(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<bool> {
        self.get(fields, key, "true or false", DeValue::as_bool)
    }

    pub(super) fn duration(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
    ) -> Option<Duration> {
        self.get(fields, key, DURATION, duration)
    }

    pub(super) fn probability(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
    ) -> Option<f64> {
        self.get(fields, key, PROBABILITY, probability)
    }

    pub(super) fn count<T: TryFrom<u64>>(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        expected: &str,
    ) -> Option<T> {
        self.get(fields, key, expected, |value| {
            T::try_from(whole(value)?).ok()
        })
    }

    /// The position among `words` of the one that is given.
    pub(super) fn word(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        words: &[&'static str],
    ) -> Option<usize> {
        fields.known.push(key);
        let value = fields.value(key)?;
        let given = value.get_ref().as_str();
        let place = words.iter().position(|word| given == Some(word));
        let field = format!("{}{key}", fields.prefix);
        let shown = self.note(&field, &value.span(), place.is_none())?;
        if place.is_none() {
            let nearest = given.and_then(|given| nearest(given, words.iter().copied(), '-'));
            let hint = nearest.map(|word| format!(", did you mean {word:?}?"));
            let (hint, words) = (hint.unwrap_or_default(), words.join(", "));
            self.problems.push(Problem::Other {
                place: self.document.place(value.span().start),
                text: format!("{key} is {shown}{hint} (allowed is {words})"),
            });
        }
        place
    }

    /// A table below this one.
    pub(super) fn table<'t>(
        &mut self,
        fields: &mut Fields<'t>,
        key: &'static str,
        expected: &str,
    ) -> Option<Fields<'t>> {
        let table = self.get(fields, key, expected, DeValue::as_table)?;
        let value = fields.value(key)?;
        Some(Fields {
            prefix: format!("{}{key}.", fields.prefix),
            table,
            at: value.span(),
            known: Vec::new(),
        })
    }

    /// Tables under one key, which are the items of the field `list`.
    pub(super) fn tables<'t>(
        &mut self,
        fields: &mut Fields<'t>,
        key: &'static str,
        list: &str,
    ) -> Vec<Fields<'t>> {
        let expected = format!("any number of [[{key}]]");
        let items = self.get(fields, key, &expected, |value| {
            let items = value.as_array()?;
            items
                .iter()
                .all(|item| item.get_ref().is_table())
                .then_some(items)
        });
        let tables = items.into_iter().flat_map(|items| items.iter()).enumerate();
        let tables = tables.filter_map(|(number, item)| {
            Some(Fields {
                prefix: format!("{list}[{number}]."),
                table: item.get_ref().as_table()?,
                at: item.span(),
                known: Vec::new(),
            })
        });
        tables.collect()
    }

    /// A key of this table must be there; `what` is the table.
    pub(super) fn unless_given(
        &mut self,
        fields: &Fields<'_>,
        what: &str,
        key: &str,
        example: &str,
    ) {
        if fields.has(key) {
            return;
        }
        // There is nothing more to be said about it.
        self.note(&format!("{}{key}", fields.prefix), &fields.at, true);
        if self.document.has_key(&fields.at) {
            self.problems.push(Problem::Other {
                place: self.document.place(fields.at.start),
                text: format!("this {what} has no {key:?}, such as {key} = {example}"),
            });
        }
    }

    /// Something else is wrong with the value of this key.
    pub(super) fn refuse(&mut self, fields: &Fields<'_>, key: &str, text: String) {
        if let Some(value) = fields.value(key)
            && self.document.has_value(&value.span())
        {
            let place = self.document.place(value.span().start);
            self.problems.push(Problem::Other { place, text });
        }
    }

    /// All keys have been asked for: others are mistakes.
    pub(super) fn no_more(&mut self, fields: &Fields<'_>) {
        #[cfg(test)]
        self.known.extend(&fields.known);
        for key in fields.table.keys() {
            self.unless_known(key, &fields.known);
        }
    }

    fn unless_known(&mut self, key: &Spanned<DeString<'_>>, known: &[&'static str]) {
        let word = key.get_ref().as_ref();
        if known.contains(&word) || !self.document.has_key(&key.span()) {
            return;
        }
        let likely = nearest(word, known.iter().copied(), '_').map(str::to_owned);
        self.problems.push(Problem::Unknown {
            place: self.document.place(key.span().start),
            what: "key",
            key: word.to_owned(),
            nearest: likely,
        });
    }
}

/// A field for people, who see the line of the step: `whom` of `steps[2].whom`.
pub(crate) fn short(field: &str) -> &str {
    match field.split_once("].") {
        Some((before, rest)) if before.starts_with("steps[") => rest,
        Some(_) | None => field,
    }
}

pub(super) fn duration(value: &DeValue<'_>) -> Option<Duration> {
    duration_of(value.as_str()?)
}

pub(super) fn duration_of(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}

/// A number or a percentage; whether it is in range is for others to judge.
pub(super) fn probability(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::Integer(_) => signed(value),
        DeValue::String(text) => percentage(text),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// `10%` as a part of 1.
pub(super) fn percentage(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix('%')?.trim_end().parse().ok()?;
    Some(number / 100.0)
}

pub(super) fn whole(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn signed(value: &DeValue<'_>) -> Option<f64> {
    let number = value.as_integer()?;
    let number = i32::from_str_radix(number.as_str(), number.radix()).ok()?;
    Some(f64::from(number))
}
