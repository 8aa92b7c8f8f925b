//! What a sidecar answers to `GET /v1/members`, as far as the tests ask.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// One member as one sidecar sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct MemberView {
    /// Its name.
    pub name: String,
    /// `ip:port` that it advertises.
    pub addr: String,
    /// The id of its present life.
    pub instance: u64,
    /// `alive`, `suspect`, `unreachable` or `left`.
    pub state: String,
    /// Whether this is the sidecar that was asked.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Everything that one sidecar sees.
#[derive(Clone, Debug, Deserialize)]
pub struct View {
    /// The members, sorted by name.
    pub members: Vec<MemberView>,
}

impl View {
    /// The member of that name, if it is known.
    pub fn member(&self, name: &str) -> Option<&MemberView> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The state of a member, or `unknown`.
    pub fn state(&self, name: &str) -> &str {
        self.member(name).map_or("unknown", |member| &member.state)
    }
}

/// `30 alive, 2 left; suspect: n3, n4`: counts, and the names of the few that are not well.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut states: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for member in &self.members {
            states.entry(&member.state).or_default().push(&member.name);
        }
        if states.is_empty() {
            return write!(f, "nobody");
        }
        let mut separator = "";
        for (state, names) in states {
            if state == "alive" {
                write!(f, "{separator}{} alive", names.len())?;
            } else {
                write!(
                    f,
                    "{separator}{} {state} ({})",
                    names.len(),
                    names.join(" ")
                )?;
            }
            separator = ", ";
        }
        Ok(())
    }
}
