//! Routes about the agreed state: who decides, why something was decided, and what an operator may
//! decide.

use std::time::Duration;

use hyper::{Response, StatusCode};
use muster_swim::{Agreement, Node, Quorum};

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
                let late = || self.no_coordinator(Some(longest));
                self.wait(longest, self.until(look), late).await?
            }
            None => return Err(self.no_coordinator(None)),
        };
        json(StatusCode::OK, &found)
    }

    /// Why nobody decides, for one who waited so long for somebody, and what to do.
    pub(super) fn no_coordinator(&self, waited: Option<Duration>) -> Problem {
        let now = self.handle.clock().now();
        let agreement = self.handle.read(|node| node.agreement(now));
        Problem::new(Kind::NoCoordinator, without_coordinator(&agreement, waited))
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
            Outcome::Done | Outcome::Attached(_) | Outcome::Keys(_) => {
                unreachable!("a removal is answered with its view")
            }
        };
        json(StatusCode::OK, &model::Removed { name, view })
    }
}

/// Why nobody decides, and what to do.
fn without_coordinator(agreement: &Agreement, waited: Option<Duration>) -> String {
    let (quorum, epoch) = (agreement.quorum.as_str(), agreement.epoch.0);
    let mut text = format!("there is no coordinator now (quorum: {quorum})");
    if let Some(waited) = waited {
        let waited = humantime::format_duration(waited);
        text.push_str(&format!(", and none came within {waited}"));
    }
    text.push_str(&match agreement.quorum {
        Quorum::Forming => ": this member is in no cluster that has formed; GET /v1/members \
                            shows whom it has found"
            .to_owned(),
        Quorum::Held => format!(
            ": the last one (epoch {epoch}) does not decide any more, and another one is usually \
             elected within 3 s"
        ),
        Quorum::Lost => {
            let voters: Vec<&str> = agreement.voters.iter().map(|name| name.as_str()).collect();
            format!(
                ": most of those that vote ({}) do not answer here, or have lost the memory they \
                 voted with; the last epoch is {epoch}; GET /v1/status shows more, and when they \
                 are gone for good, `muster recover` rebuilds the quorum",
                voters.join(", ")
            )
        }
    });
    text.push_str(match waited {
        Some(_) => "; wait longer with `timeout`",
        None => "; `GET /v1/coordinator?wait=true` waits for one",
    });
    text
}

#[cfg(test)]
mod tests;
