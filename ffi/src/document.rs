//! What the agent's JSON documents say, ready for C to look at.

use std::collections::BTreeMap;

use muster_sidecar::cli::sse::Message;
use serde_json::Value;

use crate::text::Text;

/// What an event is about. The numbers are stable; more may be added.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A type that this version does not know: `muster_event_type` has its word.
    Other = 0,
    /// Hint: the member does not answer, and may still.
    MemberSuspect = 1,
    /// Hint: it is not there, as far as this sidecar can tell.
    MemberUnreachable = 2,
    /// Hint: it is there, for the first time or again.
    MemberReachable = 3,
    /// Agreed, not final: some reach it and some do not.
    MemberDegraded = 4,
    /// Verdict: it is a member.
    MemberUp = 5,
    /// Verdict: this life of it is over.
    MemberDead = 6,
    /// Verdict: it said goodbye.
    MemberLeft = 7,
    /// Its tags or its address changed.
    MemberUpdated = 8,
    /// An app of it is up.
    AppUp = 9,
    /// An app of it has ended.
    AppDown = 10,
    /// An app of it says how it is.
    AppHealth = 11,
    /// Another member decides now, or the same in a new epoch. Of this member also: again.
    CoordinatorChanged = 12,
    /// Nothing is agreed any more, until there is a quorum again.
    QuorumLost = 13,
    /// There is a quorum again.
    QuorumRegained = 14,
    /// This member was removed though it lives, or its name was taken.
    SelfRemoved = 15,
    /// This member is in again.
    SelfReadmitted = 16,
    /// Events may be missing before this one: it carries all members as they are now.
    Reset = 17,
}

/// How a member is, as this sidecar sees it. The numbers are stable; more may be added.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A word that this version does not know.
    Other = 0,
    /// It answers.
    Alive = 1,
    /// It does not answer, and may still.
    Suspect = 2,
    /// Some reach it and some do not.
    Degraded = 3,
    /// It is not there, as far as this sidecar can tell.
    Unreachable = 4,
    /// It said goodbye.
    Left = 5,
    /// It was agreed to be dead.
    Dead = 6,
}

/// What was agreed about a life of a member. The numbers are stable; more may be added.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    None = 0,
    /// It is a member.
    Up = 1,
    /// It is dead.
    Dead = 2,
    /// It said goodbye.
    Left = 3,
    /// A word that this version does not know.
    Other = 4,
}

/// Something that happened.
#[derive(Debug)]
pub struct Event {
    pub(crate) kind: EventKind,
    pub(crate) word: Text,
    pub(crate) cursor: Text,
    pub(crate) time: Text,
    pub(crate) view: u64,
    pub(crate) epoch: u64,
    pub(crate) member: Option<Member>,
    pub(crate) members: Option<Members>,
    pub(crate) details: BTreeMap<String, Text>,
    pub(crate) json: Text,
}

/// A member as this sidecar sees it.
#[derive(Debug)]
pub struct Member {
    pub(crate) name: Text,
    pub(crate) addr: Text,
    pub(crate) instance: u64,
    pub(crate) incarnation: u64,
    pub(crate) state: State,
    pub(crate) state_word: Text,
    pub(crate) verdict: Verdict,
    pub(crate) view: u64,
    pub(crate) since: Text,
    pub(crate) zone: Option<Text>,
    pub(crate) tags: Vec<(Text, Text)>,
    pub(crate) voter: bool,
    pub(crate) is_self: bool,
    pub(crate) rtt_us: Option<u64>,
    pub(crate) json: Text,
}

/// All members that were asked for, in the order of their names.
#[derive(Debug)]
pub struct Members {
    pub(crate) view: u64,
    pub(crate) epoch: u64,
    pub(crate) cursor: Text,
    pub(crate) members: Vec<Member>,
    pub(crate) json: Text,
}

/// Who decides.
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) name: Text,
    pub(crate) addr: Option<Text>,
    pub(crate) epoch: u64,
    pub(crate) is_self: bool,
    pub(crate) json: Text,
}

impl Event {
    pub(crate) fn parse(message: &Message) -> Result<Event, String> {
        let data = &*message.data;
        let document: Value =
            serde_json::from_str(data).map_err(|error| format!("it is not JSON ({error})"))?;
        let word = text(&document, "type")?;
        let kind = kind_of(word.as_str());
        let member = &document["member"];
        let member = (!member.is_null()).then(|| Member::parse(member));
        let is_reset = kind == EventKind::Reset;
        let members = is_reset.then(|| Members::parse(&document, Text::default()));
        Ok(Event {
            kind,
            word,
            cursor: text(&document, "cursor")?,
            time: text(&document, "time")?,
            view: number(&document, "view")?,
            epoch: number(&document, "epoch")?,
            member: member.transpose()?,
            members: members.transpose()?,
            details: details(&document),
            json: Text::new(data),
        })
    }
}

impl Member {
    pub(crate) fn parse(document: &Value) -> Result<Member, String> {
        let state_word = text(document, "state")?;
        let tags = document["tags"].as_object().into_iter().flatten();
        let tag = |(key, value): (&String, &Value)| {
            (
                Text::new(&**key),
                Text::new(value.as_str().unwrap_or_default()),
            )
        };
        Ok(Member {
            name: text(document, "name")?,
            addr: text(document, "addr")?,
            instance: number(document, "instance")?,
            incarnation: number(document, "incarnation")?,
            state: state_of(state_word.as_str()),
            state_word,
            verdict: verdict_of(document["verdict"].as_str()),
            view: number(document, "view")?,
            since: text(document, "since")?,
            zone: document["zone"].as_str().map(Text::new),
            tags: tags.map(tag).collect(),
            voter: document["voter"].as_bool().unwrap_or_default(),
            is_self: document["self"].as_bool().unwrap_or_default(),
            rtt_us: document["rtt_us"].as_u64(),
            json: Text::new(document.to_string()),
        })
    }
}

impl Members {
    pub(crate) fn parse(document: &Value, json: Text) -> Result<Members, String> {
        let list = document["members"]
            .as_array()
            .ok_or_else(|| lacking("members", "list"))?;
        let members: Result<Vec<Member>, String> = list.iter().map(Member::parse).collect();
        Ok(Members {
            view: number(document, "view")?,
            epoch: number(document, "epoch")?,
            cursor: text(document, "cursor")?,
            members: members?,
            json,
        })
    }
}

impl Coordinator {
    pub(crate) fn parse(document: &Value) -> Result<Coordinator, String> {
        Ok(Coordinator {
            name: text(document, "name")?,
            addr: document["addr"].as_str().map(Text::new),
            epoch: number(document, "epoch")?,
            is_self: document["self"]
                .as_bool()
                .ok_or_else(|| lacking("self", "truth value"))?,
            json: Text::new(document.to_string()),
        })
    }
}

fn text(document: &Value, field: &str) -> Result<Text, String> {
    let found = document[field].as_str();
    found.map(Text::new).ok_or_else(|| lacking(field, "text"))
}

fn number(document: &Value, field: &str) -> Result<u64, String> {
    let found = document[field].as_u64();
    found.ok_or_else(|| lacking(field, "number"))
}

fn lacking(field: &str, kind: &str) -> String {
    format!("its field {field:?} is missing or no {kind}")
}

/// What belongs to the type of an event: texts, numbers and truth values, as text.
fn details(document: &Value) -> BTreeMap<String, Text> {
    let fields = document.as_object().into_iter().flatten();
    let shown = fields.filter_map(|(name, value)| {
        let shown = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((name.clone(), Text::new(shown)))
    });
    shown.collect()
}

fn kind_of(word: &str) -> EventKind {
    match word {
        "member-suspect" => EventKind::MemberSuspect,
        "member-unreachable" => EventKind::MemberUnreachable,
        "member-reachable" => EventKind::MemberReachable,
        "member-degraded" => EventKind::MemberDegraded,
        "member-up" => EventKind::MemberUp,
        "member-dead" => EventKind::MemberDead,
        "member-left" => EventKind::MemberLeft,
        "member-updated" => EventKind::MemberUpdated,
        "app-up" => EventKind::AppUp,
        "app-down" => EventKind::AppDown,
        "app-health" => EventKind::AppHealth,
        "coordinator-changed" => EventKind::CoordinatorChanged,
        "quorum-lost" => EventKind::QuorumLost,
        "quorum-regained" => EventKind::QuorumRegained,
        "self-removed" => EventKind::SelfRemoved,
        "self-readmitted" => EventKind::SelfReadmitted,
        "reset" => EventKind::Reset,
        _ => EventKind::Other,
    }
}

fn state_of(word: &str) -> State {
    match word {
        "alive" => State::Alive,
        "suspect" => State::Suspect,
        "degraded" => State::Degraded,
        "unreachable" => State::Unreachable,
        "left" => State::Left,
        "dead" => State::Dead,
        _ => State::Other,
    }
}

fn verdict_of(word: Option<&str>) -> Verdict {
    match word {
        None => Verdict::None,
        Some("up") => Verdict::Up,
        Some("dead") => Verdict::Dead,
        Some("left") => Verdict::Left,
        Some(_) => Verdict::Other,
    }
}
