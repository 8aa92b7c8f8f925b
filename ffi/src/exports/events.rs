use std::ffi::c_char;

use crate::client::Client;
use crate::document::{Event, EventKind, Member, Members};
use crate::guard::{Out, export, lent};
use crate::stream::Events;
use crate::text::{Text, pointer};

export! {
    /// Opens the stream of events after the cursor `since`, or of what comes next when that is
    /// NULL; of the types in the comma list `types`, or of all when that is NULL. Never waits.
    ///
    /// From then on it connects again by itself, whenever it must, and goes on where it was: an
    /// agent that restarts is told as `MUSTER_KIND_RESET`, and so is every gap. Give it the
    /// cursor of a list of members, and the two fit without one. Free it with `muster_events_free`.
    ///
    /// A stream is for one thread at a time: another one gets `MUSTER_STATUS_BUSY`. It may pass
    /// from thread to thread. A child after `fork` gets `MUSTER_STATUS_WRONG_PROCESS` and opens its
    /// own.
    fn muster_client_watch(
        client: Option<&Client>,
        since: *const c_char,
        types: *const c_char,
        events: Out<'_, Events>,
    ) -> Status {
        let (since, types) = (since.optional()?, types.optional()?);
        events.put(Events::open(client.socket.clone(), since, types)?);
        Ok(())
    }

    /// A descriptor that stays the same as long as the stream, for poll, epoll, select or any loop:
    /// readable when `muster_events_next` has something to do. It belongs to the stream: never read
    /// or close it. -1 in a child after `fork`.
    fn muster_events_fd(events: Option<&Events>) -> i32 {
        events.descriptor()
    }

    /// The next event, without waiting. `MUSTER_STATUS_AGAIN`: there is none now; wait for the
    /// descriptor. An error does not end the stream: as long as this is called it goes on trying.
    /// What passes (an agent that restarts) is not told as one, once an agent has answered.
    fn muster_events_next(events: Option<&Events>, event: Out<'_, Event>) -> Status {
        event.put(events.next()?);
        Ok(())
    }

    /// The next event; waits for it, at most `timeout_ms` (negative: for ever).
    /// `MUSTER_STATUS_TIMEOUT` or, when a signal handler ran, `MUSTER_STATUS_INTERRUPTED`: call
    /// again, nothing is lost.
    fn muster_events_wait(
        events: Option<&Events>,
        timeout_ms: i64,
        event: Out<'_, Event>,
    ) -> Status {
        event.put(events.wait(timeout_ms)?);
        Ok(())
    }

    /// The cursor of the last event that was given, to go on from in another stream: the body of a
    /// response that is to be freed with `muster_response_free`, empty before there is one. It is
    /// that of the agent's last word once all events were taken.
    fn muster_events_cursor(
        events: Option<&Events>,
        cursor: Out<'_, crate::client::Response>,
    ) -> Status {
        let body = Text::new(events.cursor()?.unwrap_or_default());
        let media_type = Text::new("text/plain");
        cursor.put(crate::client::Response {
            http_status: 0,
            media_type,
            body,
        });
        Ok(())
    }

    /// Whether the agent is connected now; false as well while another thread uses the stream.
    fn muster_events_is_connected(events: Option<&Events>) -> bool {
        events.is_connected()?
    }

    /// Closes a stream and frees it. NULL is fine.
    fn muster_events_free(events: Option<Box<Events>>) -> () {
        drop(events);
    }

    /// What it is about.
    fn muster_event_kind(event: Option<&Event>) -> EventKind {
        event.kind
    }

    /// The word for that, such as `member-dead`. It belongs to the event, as all its texts do.
    fn muster_event_type(event: Option<&Event>) -> *const c_char {
        event.word.as_ptr()
    }

    /// Its cursor: the stream goes on after it.
    fn muster_event_cursor(event: Option<&Event>) -> *const c_char {
        event.cursor.as_ptr()
    }

    /// When this sidecar learnt of it: RFC 3339, UTC, milliseconds.
    fn muster_event_time(event: Option<&Event>) -> *const c_char {
        event.time.as_ptr()
    }

    /// The agreed membership; 0 before there is one.
    fn muster_event_view(event: Option<&Event>) -> u64 {
        event.view
    }

    /// The coordinator's term; 0 before there is one.
    fn muster_event_epoch(event: Option<&Event>) -> u64 {
        event.epoch
    }

    /// The member it is about, as it was right after; NULL for a reset. It belongs to the event.
    fn muster_event_member(event: Option<&Event>) -> *const Member {
        lent(event.member.as_ref())
    }

    /// Of a reset: all members as they are now; else NULL. It belongs to the event.
    fn muster_event_members(event: Option<&Event>) -> *const Members {
        lent(event.members.as_ref())
    }

    /// A field of the event by its name in JSON, such as `cause`, `app`, `status` or `reason`, as
    /// text; NULL when this event has no such field, or has a list or an object there.
    fn muster_event_detail(event: Option<&Event>, name: *const c_char) -> *const c_char {
        pointer(event.details.get(name.required()?))
    }

    /// All of it as JSON, as the agent sent it.
    fn muster_event_json(event: Option<&Event>) -> *const c_char {
        event.json.as_ptr()
    }

    /// Frees an event. NULL is fine.
    fn muster_event_free(event: Option<Box<Event>>) -> () {
        drop(event);
    }
}
