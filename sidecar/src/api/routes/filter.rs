//! Which members a listing shows.

use muster_swim::{App, MemberInfo, State};

use super::Result;
use crate::api::model::STATES;
use crate::api::problem::Problem;

/// Which members a listing shows. Within one parameter any value will do, between two both count.
#[derive(Debug, Default)]
pub(super) struct Filter {
    states: Vec<String>,
    names: Vec<String>,
    tags: Vec<(String, Vec<String>)>,
    apps: Vec<String>,
}

impl Filter {
    /// Takes a parameter; false when it is none of these.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Result<bool> {
        match (key, key.strip_prefix("tag.")) {
            ("state", _) => self.add_states(value)?,
            ("name", _) => self.names.push(value.to_owned()),
            ("app", _) => self.apps.push(value.to_owned()),
            (_, Some(tag)) if !tag.is_empty() => self.add_tag(tag, value),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_states(&mut self, list: &str) -> Result<()> {
        for word in list.split(',').map(str::trim) {
            if !STATES.contains(&word) {
                let known = STATES.join(", ");
                let detail = format!("{word:?} is no state: choose among {known}");
                return Err(Problem::invalid(detail));
            }
            self.states.push(word.to_owned());
        }
        Ok(())
    }

    fn add_tag(&mut self, key: &str, value: &str) {
        match self.tags.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value.to_owned()),
            None => self.tags.push((key.to_owned(), vec![value.to_owned()])),
        }
    }

    pub(super) fn passes(&self, info: &MemberInfo) -> bool {
        let any = |wanted: &[String], found: &str| wanted.iter().any(|value| value == found);
        let runs = |app: &String| is_up(info, app);
        (self.states.is_empty() || any(&self.states, info.state.as_str()))
            && (self.apps.is_empty() || self.apps.iter().any(runs))
            && (self.names.is_empty() || any(&self.names, info.name.as_str()))
            && self
                .tags
                .iter()
                .all(|(key, values)| info.tags.value(key).is_some_and(|value| any(values, value)))
    }
}

/// Whether an app runs beside a member whose life is not over.
fn is_up(info: &MemberInfo, app: &str) -> bool {
    let over = matches!(info.state, State::Dead | State::Left);
    !over && info.apps.get(app).is_some_and(App::is_up)
}
