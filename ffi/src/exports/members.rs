use std::ffi::c_char;

use crate::document::{Member, Members, State, Verdict};
use crate::guard::{export, lent};
use crate::text::pointer;

export! {
    /// How many members are in the list.
    fn muster_members_count(members: Option<&Members>) -> usize {
        members.members.len()
    }

    /// A member of the list, by its place from 0 in the order of the names; NULL beyond the end. It
    /// belongs to the list.
    fn muster_members_at(members: Option<&Members>, index: usize) -> *const Member {
        lent(members.members.get(index))
    }

    /// A member of the list, by its name; NULL when it is not in it. It belongs to the list.
    fn muster_members_find(
        members: Option<&Members>,
        name: *const c_char,
    ) -> *const Member {
        let name = name.required()?;
        lent(members.members.iter().find(|member| member.name.as_str() == name))
    }

    /// The agreed membership; 0 before there is one.
    fn muster_members_view(members: Option<&Members>) -> u64 {
        members.view
    }

    /// The coordinator's term; 0 before there is one.
    fn muster_members_epoch(members: Option<&Members>) -> u64 {
        members.epoch
    }

    /// The events after this cursor continue exactly from this list: give it to
    /// `muster_client_watch`. It belongs to the list.
    fn muster_members_cursor(members: Option<&Members>) -> *const c_char {
        members.cursor.as_ptr()
    }

    /// The agent's document; empty for the list of a `reset`, whose event has it. It belongs to the
    /// list.
    fn muster_members_json(members: Option<&Members>) -> *const c_char {
        members.json.as_ptr()
    }

    /// Frees a list that `muster_client_members` gave, never that of an event. NULL is fine.
    fn muster_members_free(members: Option<Box<Members>>) -> () {
        drop(members);
    }

    /// Its name, unique in the cluster. It belongs to the member, as all its texts do.
    fn muster_member_name(member: Option<&Member>) -> *const c_char {
        member.name.as_ptr()
    }

    /// Where it listens: `address:port`.
    fn muster_member_addr(member: Option<&Member>) -> *const c_char {
        member.addr.as_ptr()
    }

    /// Its present life; a restart is a larger number.
    fn muster_member_instance(member: Option<&Member>) -> u64 {
        member.instance
    }

    /// Its version within that life.
    fn muster_member_incarnation(member: Option<&Member>) -> u64 {
        member.incarnation
    }

    /// How it is, as this sidecar sees it.
    fn muster_member_state(member: Option<&Member>) -> State {
        member.state
    }

    /// The word for that.
    fn muster_member_state_text(member: Option<&Member>) -> *const c_char {
        member.state_word.as_ptr()
    }

    /// What was agreed about this life of it.
    fn muster_member_verdict(member: Option<&Member>) -> Verdict {
        member.verdict
    }

    /// The view in which that was agreed; 0 without a verdict.
    fn muster_member_view(member: Option<&Member>) -> u64 {
        member.view
    }

    /// Since when it has its state here: RFC 3339, UTC, milliseconds.
    fn muster_member_since(member: Option<&Member>) -> *const c_char {
        member.since.as_ptr()
    }

    /// Its tag `zone`; NULL without one.
    fn muster_member_zone(member: Option<&Member>) -> *const c_char {
        pointer(member.zone.as_ref())
    }

    /// The value of a tag, by its key; NULL without it.
    fn muster_member_tag(member: Option<&Member>, key: *const c_char) -> *const c_char {
        let key = key.required()?;
        let found = member.tags.iter().find(|(known, _)| known.as_str() == key);
        pointer(found.map(|(_, value)| value))
    }

    /// How many tags it has.
    fn muster_member_tag_count(member: Option<&Member>) -> usize {
        member.tags.len()
    }

    /// The key of a tag, by its place from 0 in the order of the keys; NULL beyond the end.
    fn muster_member_tag_key(member: Option<&Member>, index: usize) -> *const c_char {
        pointer(member.tags.get(index).map(|(key, _)| key))
    }

    /// The value of a tag, by its place; NULL beyond the end.
    fn muster_member_tag_value(member: Option<&Member>, index: usize) -> *const c_char {
        pointer(member.tags.get(index).map(|(_, value)| value))
    }

    /// Whether it votes.
    fn muster_member_is_voter(member: Option<&Member>) -> bool {
        member.voter
    }

    /// Whether it is the member that was asked.
    fn muster_member_is_self(member: Option<&Member>) -> bool {
        member.is_self
    }

    /// Round-trip time in microseconds; -1 while it was not measured.
    fn muster_member_rtt_us(member: Option<&Member>) -> i64 {
        member.rtt_us.and_then(|rtt| i64::try_from(rtt).ok()).unwrap_or(-1)
    }

    /// All of it as JSON, with what has no function of its own, such as its apps.
    fn muster_member_json(member: Option<&Member>) -> *const c_char {
        member.json.as_ptr()
    }

    /// Frees a member that `muster_client_member` gave, never one of a list or an event. NULL is
    /// fine.
    fn muster_member_free(member: Option<Box<Member>>) -> () {
        drop(member);
    }
}
