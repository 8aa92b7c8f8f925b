//! Routes for those who supervise the agent: is it alive, is it of use, what has it counted?

use hyper::header::{ACCEPT, HeaderMap};
use hyper::{Response, StatusCode};
use muster_swim::{Lifecycle, Node, Quorum, Time, Verdict};

use super::{Context, Result, json, whole};
use crate::api::metrics::{self, Exposition};
use crate::api::model::Probe;
use crate::api::problem::{Kind, Problem};
use crate::api::stream::Answer;

impl Context {
    /// Counters in the format that the scraper asks for.
    pub(super) fn metrics(&self, headers: &HeaderMap) -> Response<Answer> {
        let accept = headers.get_all(ACCEPT).iter();
        let exposition = Exposition::asked_for(accept.filter_map(|value| value.to_str().ok()));
        let text = metrics::render(&self.shared, exposition);
        whole(StatusCode::OK, exposition.media_type(), text.into())
    }

    /// Whether the agent gets on. One that does not is to be started anew.
    pub(super) fn healthz(&self) -> Result<Response<Answer>> {
        if self.handle.is_stuck() {
            let detail = "the loop of the protocol is far behind its own deadline: see the load of \
                          this host; an agent that stays so must be started anew";
            return Err(Problem::new(Kind::Stuck, detail));
        }
        json(StatusCode::OK, &Probe::fine())
    }

    /// Whether this member takes part in a cluster that can decide.
    pub(super) fn readyz(&self) -> Result<Response<Answer>> {
        match self.not_ready() {
            None => json(StatusCode::OK, &Probe::fine()),
            Some(why) => Err(Problem::new(Kind::NotReady, why)),
        }
    }

    fn not_ready(&self) -> Option<String> {
        if let Some(app) = self.handle.waits_for() {
            return Some(format!(
                "this member waits for its app {app:?} before it joins: attach it with `muster \
                 attach --name {app}`"
            ));
        }
        let now = self.handle.clock().now();
        self.handle.read(|node| why_not_ready(node, now))
    }
}

/// Why this member is of no use to who wants verdicts; `None`: it is.
pub(in crate::api) fn why_not_ready(node: &Node, now: Time) -> Option<String> {
    match node.lifecycle() {
        // Who has its place and joins through further seeds keeps it.
        Lifecycle::Member | Lifecycle::Joining => {}
        Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => {
            return Some("this member has said goodbye, and the agent stops".to_owned());
        }
    }
    match node.agreement(now).quorum {
        Quorum::Held => {}
        Quorum::Forming => {
            return Some(
                "no cluster has formed here yet: `expect` members must find each other, or a \
                 seed of one that has formed must answer"
                    .to_owned(),
            );
        }
        Quorum::Lost => {
            return Some(
                "the quorum is lost: too few voters are reached from here, and nothing is \
                 decided until they are back"
                    .to_owned(),
            );
        }
    }
    match node.me().verdict {
        Some(Verdict::Up) => None,
        Some(Verdict::Dead | Verdict::Left) => {
            Some("this member was removed and waits to be readmitted".to_owned())
        }
        None => Some("this member is not in the agreed view yet".to_owned()),
    }
}
