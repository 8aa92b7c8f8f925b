//! Routes that read what this member holds.

use std::collections::BTreeMap;

use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use muster_swim::Node;

use super::filter::Filter;
use super::waiting::Freshness;
use super::{Context, Result, json, unknown_parameter, whole, with_type};
use crate::agent::{Clock, Places};
use crate::api::events::Types;
use crate::api::listing::Listing;
use crate::api::model::{self, Cursor, EVENT_TYPES, STATES};
use crate::api::problem::{Kind, Problem};
use crate::api::stream::{Answer, EventStream, Pieces};

impl Context {
    pub(super) fn status(&self, code: StatusCode) -> Result<Response<Answer>> {
        let clock = self.handle.clock();
        json(
            code,
            &self.handle.read(|node| {
                let waits_for = self.handle.waits_for();
                status(node, clock, self.started, waits_for, self.handle.places())
            }),
        )
    }

    pub(super) fn ring(&self) -> Result<Response<Answer>> {
        let clock = self.handle.clock();
        let rings = self.handle.read(|node| model::Rings::new(node, clock));
        json(StatusCode::OK, &rings)
    }

    pub(super) async fn members(&self, query: &[(String, String)]) -> Result<Response<Answer>> {
        let mut filter = Filter::default();
        let mut freshness = Freshness::default();
        for (key, value) in query {
            if !filter.take(key, value)? && !freshness.take(key, value)? {
                let known = "state, name, tag.KEY, app, at_least, consistent and timeout";
                return Err(unknown_parameter(key, known));
            }
        }
        self.be_fresh(&freshness).await?;
        let mut listing = Listing::members(&self.handle, |info| filter.passes(info));
        let first = listing.next_piece().unwrap_or_default();
        if listing.is_done() {
            return Ok(whole(StatusCode::OK, "application/json", first.into()));
        }
        let body = Answer::Pieces(Pieces::new(first, listing));
        Ok(with_type(StatusCode::OK, "application/json", body))
    }

    pub(super) fn member(&self, name: &str) -> Result<Response<Answer>> {
        let Some(info) = self.handle.read(|node| node.member(name)) else {
            return Err(no_such_member(name));
        };
        json(
            StatusCode::OK,
            &model::Member::new(&info, self.handle.clock()),
        )
    }

    pub(super) fn events(
        &self,
        query: &[(String, String)],
        headers: &HeaderMap,
    ) -> Result<Response<Answer>> {
        let mut since = None;
        let mut types = Types::all();
        for (key, value) in query {
            match key.as_str() {
                "since" => since = Some(cursor("since", value)?),
                "types" => types = Types::parse(value).map_err(|word| unknown_type(&word))?,
                _ => return Err(unknown_parameter(key, "since and types")),
            }
        }
        // A browser repeats the URL it was given and tells in the header where it is by now.
        if let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) {
            since = Some(cursor("Last-Event-ID", id.to_str().unwrap_or_default())?);
        }
        let stopping = self.stopping.clone();
        let stream = EventStream::new(&self.handle, since, types, self.keep_alive, stopping);
        let body = Answer::Events(Box::new(stream));
        let mut response = with_type(StatusCode::OK, "text/event-stream", body);
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

pub(super) fn no_such_member(name: &str) -> Problem {
    let detail = format!(
        "no member {name:?} is known here: GET /v1/members lists those that are. Names are \
         case-sensitive, and special characters in a path are percent-encoded"
    );
    Problem::new(Kind::NoSuchMember, detail)
}

fn status(
    node: &Node,
    clock: &Clock,
    started: muster_swim::Time,
    waits_for: Option<String>,
    places: Places,
) -> model::Status {
    let me = node.me();
    let agreement = node.agreement(clock.now());
    let states = STATES.into_iter();
    let mut members: BTreeMap<model::Word, u64> = states.map(|state| (state.into(), 0)).collect();
    for member in node.members() {
        *members.entry(member.state.as_str().into()).or_default() += 1;
    }
    let uptime = clock.now().since(started).as_millis();
    model::Status {
        name: me.name.to_string(),
        addr: me.addr,
        instance: me.instance.0,
        incarnation: me.incarnation.0,
        cluster: node.identity().cluster.to_string(),
        version: env!("CARGO_PKG_VERSION").into(),
        view: agreement.view.0,
        epoch: agreement.epoch.0,
        coordinator: agreement.coordinator.map(|name| name.to_string()),
        quorum: agreement.quorum.as_str().into(),
        role: agreement.role.as_str().into(),
        voters: agreement.voters.iter().map(ToString::to_string).collect(),
        lineage: agreement.lineage.map(model::lineage_word),
        conflict: agreement.conflict.map(model::lineage_word),
        memory_failed: agreement.memory_failed,
        members,
        health: node.health(),
        lifecycle: node.lifecycle().as_str().into(),
        waits_for,
        config: places.config.map(|path| path.display().to_string()),
        data_dir: places.data_dir.map(|path| path.display().to_string()),
        key_file: places.key_file.map(|path| path.display().to_string()),
        pid: std::process::id(),
        uptime_ms: u64::try_from(uptime).unwrap_or(u64::MAX),
        digest: format!("{:016x}", node.digest()),
        seeds: node.seeds().iter().map(model::Seed::from).collect(),
        stats: node.stats().into(),
    }
}

fn cursor(source: &str, text: &str) -> Result<Cursor> {
    text.parse().map_err(|error| {
        let advice = "take it from the id of an event or from `cursor` in GET /v1/members, or leave \
                      it out to start with what comes next";
        Problem::invalid(format!("{source} {text:?} is no cursor: {error}; {advice}"))
    })
}

fn unknown_type(word: &str) -> Problem {
    let known = EVENT_TYPES.join(", ");
    Problem::invalid(format!(
        "{word:?} is no type of event: choose among {known}"
    ))
}
