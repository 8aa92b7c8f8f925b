//! Bodies of answers: whole, a list rendered in pieces, the endless stream of events, or what lasts
//! as long as an app.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use smol::Timer;

use super::attached::AttachedBody;
use super::events::{Gap, ReaderId, Types};
use super::listing::{Listing, PIECE_BYTES};
use super::model::Cursor;
use crate::agent::Handle;

/// How long a client waits before it connects again, in milliseconds: the field `retry`.
const RETRY_MS: u32 = 1000;

/// Set once the server stops: streams end when they are up to date.
pub(super) type Stopping = Rc<Cell<bool>>;

/// The body of an answer.
pub(super) enum Answer {
    Whole(Full<Bytes>),
    Pieces(Pieces),
    Events(Box<EventStream>),
    Attached(Box<AttachedBody>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match self.get_mut() {
            Answer::Whole(whole) => return Pin::new(whole).poll_frame(context),
            Answer::Pieces(pieces) => ready!(pieces.poll_next(context)),
            Answer::Events(events) => ready!(events.poll_next(context)),
            Answer::Attached(attached) => ready!(attached.poll_next(context)),
        };
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(Bytes::from(chunk)))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Whole(whole) => whole.is_end_stream(),
            Answer::Pieces(pieces) => pieces.first.is_none() && pieces.listing.is_done(),
            Answer::Events(_) | Answer::Attached(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(whole) => whole.size_hint(),
            Answer::Pieces(_) | Answer::Events(_) | Answer::Attached(_) => SizeHint::default(),
        }
    }
}

/// Lets the rest of the thread run between two pieces, however fast the client reads.
#[derive(Debug, Default)]
struct Turns {
    taken: bool,
}

impl Turns {
    /// Ready every other time.
    fn poll_next(&mut self, context: &Context<'_>) -> Poll<()> {
        self.taken = !self.taken;
        if self.taken {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A list of members as a body.
pub(super) struct Pieces {
    first: Option<Vec<u8>>,
    listing: Listing,
    turns: Turns,
}

impl Pieces {
    /// `first` was rendered already.
    pub(super) fn new(first: Vec<u8>, listing: Listing) -> Pieces {
        Pieces {
            first: Some(first),
            listing,
            turns: Turns::default(),
        }
    }

    fn poll_next(&mut self, context: &Context<'_>) -> Poll<Option<Vec<u8>>> {
        ready!(self.turns.poll_next(context));
        Poll::Ready(self.first.take().or_else(|| self.listing.next_piece()))
    }
}

/// One client's stream of events. It holds its place and renders one piece at a time, when the
/// client has room for it: what it has not read yet stays in the log that all streams share.
pub(super) struct EventStream {
    handle: Handle,
    reader: ReaderId,
    types: Types,
    place: Place,
    greeting: Option<Vec<u8>>,
    turns: Turns,
    keep_alive: Timer,
    keep_alive_interval: Duration,
    stopping: Stopping,
}

enum Place {
    /// After this event.
    After(u64),
    /// Lost: a snapshot is due.
    Lost(Gap),
    /// Within a snapshot, after whose end the stream continues after this event.
    Snapshot(Listing, u64),
}

impl EventStream {
    /// A stream that continues after `since`, or starts with what comes next.
    pub(super) fn new(
        handle: &Handle,
        since: Option<Cursor>,
        types: Types,
        keep_alive_interval: Duration,
        stopping: Stopping,
    ) -> EventStream {
        let mut log = handle.log().borrow_mut();
        let now = log.cursor();
        let place = match since.map(|cursor| log.resume(cursor)) {
            None => Place::After(now.seq),
            Some(Ok(seq)) => Place::After(seq),
            Some(Err(gap)) => Place::Lost(gap),
        };
        let greeting = match (&place, since) {
            (Place::After(_), None) => format!("retry: {RETRY_MS}\nid: {now}\n\n"),
            _ => format!("retry: {RETRY_MS}\n\n"),
        };
        EventStream {
            reader: log.add_reader(),
            handle: handle.clone(),
            types,
            place,
            greeting: Some(greeting.into_bytes()),
            turns: Turns::default(),
            keep_alive: Timer::after(keep_alive_interval),
            keep_alive_interval,
            stopping,
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        ready!(self.turns.poll_next(context));
        let chunk = match self.greeting.take() {
            Some(greeting) => Some(greeting),
            None => self.next_chunk(),
        };
        if let Some(chunk) = chunk {
            self.keep_alive.set_after(self.keep_alive_interval);
            return Poll::Ready(Some(chunk));
        }
        self.turns = Turns::default();
        self.poll_idle(context)
    }

    /// What the client gets next; none when nothing it wants is known yet.
    fn next_chunk(&mut self) -> Option<Vec<u8>> {
        loop {
            match &mut self.place {
                Place::Lost(gap) => {
                    let (listing, cursor) = Listing::reset(&self.handle, gap.as_str());
                    self.place = Place::Snapshot(listing, cursor.seq);
                }
                Place::Snapshot(listing, then) => match listing.next_piece() {
                    Some(piece) => return Some(piece),
                    None => self.place = Place::After(*then),
                },
                Place::After(seq) => {
                    let mut chunk = Vec::new();
                    let log = self.handle.log().borrow();
                    match log.copy_after(*seq, &self.types, &mut chunk, PIECE_BYTES) {
                        Ok(seen) => {
                            *seq = seen;
                            return (!chunk.is_empty()).then_some(chunk);
                        }
                        Err(gap) => {
                            drop(log);
                            self.place = Place::Lost(gap);
                        }
                    }
                }
            }
        }
    }

    /// Waits for the next event, and shows now and then that the stream lives. The keep-alive
    /// carries the cursor: after a long time without an event of the wanted types it still is
    /// recent.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut log = self.handle.log().borrow_mut();
        let last = log.cursor();
        let Place::After(seq) = self.place else {
            unreachable!("a stream that lost its place has a snapshot to send");
        };
        if seq < last.seq {
            // More to look at, none of it wanted so far: in the next turn.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.stopping.get() {
            return Poll::Ready(None);
        }
        log.wait(self.reader, context.waker());
        ready!(Pin::new(&mut self.keep_alive).poll(context));
        self.keep_alive.set_after(self.keep_alive_interval);
        Poll::Ready(Some(format!(": keep-alive\nid: {last}\n\n").into_bytes()))
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.handle.log().borrow_mut().remove_reader(self.reader);
    }
}
