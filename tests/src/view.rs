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
    /// `alive`, `suspect`, `degraded`, `unreachable`, `left` or `dead`.
    pub state: String,
    /// What was agreed about this life: `up`, `dead`, `left`, or nothing yet.
    pub verdict: Option<String>,
    /// The view in which that was agreed.
    pub view: u64,
    /// Whether it votes.
    pub voter: bool,
    /// Whether this is the sidecar that was asked.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Everything that one sidecar sees.
#[derive(Clone, Debug, Deserialize)]
pub struct View {
    /// The number of the last view that it knows.
    pub view: u64,
    /// The coordinator's term in it.
    pub epoch: u64,
    /// The members, sorted by name.
    pub members: Vec<MemberView>,
}

/// The agreed part of what one sidecar sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The number of the view.
    pub view: u64,
    /// The coordinator's term.
    pub epoch: u64,
    /// The members of the view: by name the life, and the view in which it became a member.
    pub up: BTreeMap<String, (u64, u64)>,
}

/// What a sidecar answers to `GET /v1/coordinator`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CoordinatorView {
    /// The coordinator's name.
    pub name: String,
    /// Its term.
    pub epoch: u64,
    /// Whether this is the sidecar that was asked.
    #[serde(rename = "self")]
    pub is_self: bool,
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

    /// What was agreed about a member's present life: a verdict, or `none`.
    pub fn verdict(&self, name: &str) -> &str {
        let verdict = self
            .member(name)
            .and_then(|member| member.verdict.as_deref());
        verdict.unwrap_or("none")
    }

    /// What is agreed: number and term, and each member of the view with its life and when it came.
    pub fn agreed(&self) -> Agreed {
        let up = self.members.iter();
        let up = up.filter(|member| member.verdict.as_deref() == Some("up"));
        Agreed {
            view: self.view,
            epoch: self.epoch,
            up: up
                .map(|member| (member.name.clone(), (member.instance, member.view)))
                .collect(),
        }
    }
}

/// `view 7, epoch 2: 30 alive, 2 left (n3 n4)`: counts, and the names of the few that are not well.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "view {}, epoch {}: ", self.view, self.epoch)?;
        let mut states: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for member in &self.members {
            let state = match (&*member.state, member.verdict.as_deref()) {
                ("alive", Some("up")) => "alive",
                ("alive", _) => "alive but not agreed",
                (state, _) => state,
            };
            states.entry(state).or_default().push(&member.name);
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
