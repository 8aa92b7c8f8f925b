//! A list of members, taken in one go and rendered in pieces.
//!
//! Copying the members out is fast (names and tags are shared); turning tens of thousands of them
//! into JSON is not, and the thread has a protocol to run. So the copy is the consistent part, and
//! each piece is rendered only when the client has room for it.

use std::vec;

use muster_swim::MemberInfo;

use super::model::{Cursor, Member, Members, RESET, Reset, rfc3339};
use crate::agent::Handle;

/// A piece is closed once it has this many bytes; a member with all its tags adds 8 KiB at most.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// The end of both documents that hold a list, after their `"members":[`.
const END: &[u8] = b"]}";

/// The rest of a JSON document whose last field is the list of members.
pub(super) struct Listing {
    handle: Handle,
    begin: Option<Vec<u8>>,
    members: vec::IntoIter<MemberInfo>,
    end: Option<Vec<u8>>,
    first: bool,
}

impl Listing {
    /// The members that `wanted` picks, sorted by name, as [`Members`], with the cursor after which
    /// the events continue from here.
    pub(super) fn members(handle: &Handle, wanted: impl Fn(&MemberInfo) -> bool) -> Listing {
        let (view, epoch) = agreed(handle);
        let document = Members {
            view,
            epoch,
            cursor: handle.log().borrow().cursor().to_string(),
            members: Vec::new(),
        };
        let begin = serde_json::to_vec(&document).expect("the shapes have only text as keys");
        Listing::new(handle, begin, b"", wanted)
    }

    /// All members as the event [`Reset`], with the number of the event after which the stream
    /// continues.
    pub(super) fn reset(handle: &Handle, reason: &'static str) -> (Listing, Cursor) {
        let cursor = handle.log().borrow().cursor();
        let clock = handle.clock();
        let (view, epoch) = agreed(handle);
        let document = Reset {
            cursor: cursor.to_string(),
            time: rfc3339(clock.wall(clock.now())),
            kind: RESET.into(),
            view,
            epoch,
            reason: reason.into(),
            members: Vec::new(),
        };
        let mut begin = super::events::frame(&document.cursor, RESET, &document);
        begin.truncate(begin.len() - super::events::FRAME_END.len());
        (
            Listing::new(handle, begin, super::events::FRAME_END, |_| true),
            cursor,
        )
    }

    /// `document` ends with an empty list of members; `after` follows it.
    fn new(
        handle: &Handle,
        mut document: Vec<u8>,
        after: &[u8],
        wanted: impl Fn(&MemberInfo) -> bool,
    ) -> Listing {
        debug_assert!(
            document.ends_with(END),
            "members is the last field of the shape"
        );
        document.truncate(document.len() - END.len());
        let mut members: Vec<MemberInfo> =
            handle.read(|node| node.members().filter(wanted).collect());
        // What is sorted is names and places: a member is too large to be moved about.
        members.sort_by_cached_key(|info| info.name.clone());
        Listing {
            handle: handle.clone(),
            begin: Some(document),
            members: members.into_iter(),
            end: Some([END, after].concat()),
            first: true,
        }
    }

    /// Whether everything was rendered.
    pub(super) fn is_done(&self) -> bool {
        self.end.is_none()
    }

    /// The next piece; none after the end.
    pub(super) fn next_piece(&mut self) -> Option<Vec<u8>> {
        let end = self.end.take()?;
        let mut piece = self.begin.take().unwrap_or_default();
        for info in self.members.by_ref() {
            if !std::mem::take(&mut self.first) {
                piece.push(b',');
            }
            let member = Member::new(&info, self.handle.clock());
            serde_json::to_writer(&mut piece, &member).expect("the shapes have only text as keys");
            if piece.len() >= PIECE_BYTES {
                self.end = Some(end);
                return Some(piece);
            }
        }
        piece.extend_from_slice(&end);
        Some(piece)
    }
}

/// The numbers of the agreed state that the list is of.
fn agreed(handle: &Handle) -> (u64, u64) {
    let agreement = handle.read(|node| node.agreement(handle.clock().now()));
    (agreement.view.0, agreement.epoch.0)
}
