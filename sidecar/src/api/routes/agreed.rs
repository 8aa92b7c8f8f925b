//! Routes about the agreed state: who decides, why something was decided, and what an operator may
//! decide.

use std::time::Duration;

use hyper::{Response, StatusCode};
use muster_swim::Node;

use super::reading::no_such_member;
use super::waiting::{switch, timeout};
use super::{Context, Result, json, unknown_parameter};
use crate::agent::{Command, Outcome};
use crate::api::model;
use crate::api::problem::{Kind, Problem};
use crate::api::stream::Answer;

/// How long a coordinator is waited for when nothing else is said.
const COORDINATOR: Duration = Duration::from_secs(30);

/// How long a removal may take: the core gives up earlier.
const REMOVAL: Duration = Duration::from_secs(60);

impl Context {
    pub(super) async fn coordinator(&self, query: &[(String, String)]) -> Result<Response<Answer>> {
        let (mut waits, mut longest) = (false, COORDINATOR);
        for (key, value) in query {
            match key.as_str() {
                "wait" => waits = switch(key, value)?,
                "timeout" => longest = timeout(value)?,
                _ => return Err(unknown_parameter(key, "wait and timeout")),
            }
        }
        let look = |node: &Node| {
            let agreement = node.agreement(self.handle.clock().now());
            model::Coordinator::new(&agreement, &node.me().name)
        };
        let found = match self.handle.read(look) {
            Some(coordinator) => coordinator,
            None if waits => {
                let late = || self.no_coordinator();
                self.wait(longest, self.until(look), late).await?
            }
            None => return Err(self.no_coordinator()),
        };
        json(StatusCode::OK, &found)
    }

    fn no_coordinator(&self) -> Problem {
        let quorum = self.handle.read(|node| {
            let agreement = node.agreement(self.handle.clock().now());
            agreement.quorum.as_str()
        });
        let detail = format!(
            "there is no coordinator now (quorum: {quorum}); `wait=true` waits for one, and \
             GET /v1/status shows who votes"
        );
        Problem::new(Kind::NoCoordinator, detail)
    }

    pub(super) fn evidence(&self, name: &str) -> Result<Response<Answer>> {
        let clock = self.handle.clock();
        let (member, evidence) = self.handle.read(|node| {
            let (member, files) = (node.member(name), node.case_files(name));
            let accusers = node.accusers(name);
            let known = model::Evidence::new(name, member.as_ref(), &accusers, &files, clock);
            (member, known)
        });
        match (member, evidence) {
            (_, Some(evidence)) => json(StatusCode::OK, &evidence),
            (Some(member), None) => {
                let detail = format!(
                    "nothing is known against {name:?}: it is {}, and no case about it is \
                     remembered here",
                    member.state
                );
                Err(Problem::new(Kind::NoEvidence, detail))
            }
            (None, None) => Err(no_such_member(name)),
        }
    }

    pub(super) async fn remove(
        &self,
        name: String,
        query: &[(String, String)],
    ) -> Result<Response<Answer>> {
        let mut force = false;
        for (key, value) in query {
            match key.as_str() {
                "force" => force = switch(key, value)?,
                _ => return Err(unknown_parameter(key, "force")),
            }
        }
        let command = Command::Remove {
            name: name.clone(),
            force,
        };
        let view = match self.ask(command, REMOVAL).await? {
            Outcome::View(view) => view.0,
            Outcome::Done => unreachable!("a removal is answered with its view"),
        };
        json(StatusCode::OK, &model::Removed { name, view })
    }
}
