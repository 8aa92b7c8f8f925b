//! The values that one source gives, as text, each with its place.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::problem::{Place, Problem};
use super::table::{Form, TABLE};

/// One value as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// What the setting takes.
    pub(super) text: String,
    /// What the user wrote, for messages.
    pub(super) shown: String,
    /// The setting's name, for messages; of a tag with its key.
    pub(super) name: String,
    pub(super) place: Place,
}

/// All values of one source, by the name of the setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layer(BTreeMap<&'static str, Vec<Given>>);

impl Layer {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn values(&self, name: &str) -> &[Given] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().map(|given| given.text.as_str())
    }

    pub(super) fn add(&mut self, name: &'static str, given: Given) {
        self.0.entry(name).or_default().push(given);
    }
}

/// Of flags, by the names of their settings.
pub(super) fn from_flags(flags: &BTreeMap<&'static str, Vec<String>>) -> Layer {
    let mut layer = Layer::default();
    for setting in TABLE {
        for text in flags.get(setting.name).into_iter().flatten() {
            for item in items(text, matches!(setting.form, Form::List(_))) {
                let place = Place::Flag(format!("--{}", setting.flag()));
                layer.add(setting.name, given(setting.name, item, place));
            }
        }
    }
    layer
}

/// An empty variable counts as not set: container files cannot unset one.
pub(super) fn from_variables(
    variable: impl Fn(&str) -> Option<OsString>,
    problems: &mut Vec<Problem>,
) -> Layer {
    let mut layer = Layer::default();
    for setting in TABLE {
        let name = setting.variable();
        let Some(value) = variable(&name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let place = Place::Variable(name);
        match value.into_string() {
            Ok(text) => {
                let several = matches!(setting.form, Form::List(_) | Form::Tags);
                for item in items(&text, several) {
                    layer.add(setting.name, given(setting.name, item, place.clone()));
                }
            }
            Err(bytes) => {
                let text = bytes.to_string_lossy();
                problems.push(Problem::value(&given(setting.name, &text, place), setting));
            }
        }
    }
    layer
}

fn given(name: &str, text: &str, place: Place) -> Given {
    let shown = format!("{text:?}");
    Given {
        text: text.to_owned(),
        shown,
        name: name.to_owned(),
        place,
    }
}

/// A list is separated by commas, with space around them as one likes.
fn items(text: &str, several: bool) -> impl Iterator<Item = &str> {
    let separator = move |c| several && c == ',';
    text.split(separator)
        .map(move |item| if several { item.trim() } else { item })
        .filter(move |item| !several || !item.is_empty())
}
