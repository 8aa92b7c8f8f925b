//! Requests that wait for something: how long, how many, and until when.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use muster_swim::Node;
use smol::Timer;
use smol::future::or;

use super::{Context, Result};
use crate::agent::{Command, Outcome};
use crate::api::problem::{Kind, Problem};

/// Longest wait that can be asked for.
const LONGEST: Duration = Duration::from_secs(300);

/// How long a view is waited for when nothing else is said.
const VIEW: Duration = Duration::from_secs(10);

/// How fresh the answer must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freshness {
    at_least: u64,
    consistent: bool,
    timeout: Duration,
}

impl Default for Freshness {
    fn default() -> Freshness {
        Freshness {
            at_least: 0,
            consistent: false,
            timeout: VIEW,
        }
    }
}

impl Freshness {
    /// Takes a parameter; false when it is none of these.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Result<bool> {
        match key {
            "at_least" => {
                let problem = || {
                    let advice = "take it from `view` in an answer, or from an event";
                    Problem::invalid(format!("at_least {value:?} is no view: {advice}"))
                };
                self.at_least = value.parse().map_err(|_| problem())?;
            }
            "consistent" => self.consistent = switch(key, value)?,
            "timeout" => self.timeout = timeout(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A place among the requests that wait.
struct Place(Rc<Cell<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Context {
    /// Waits until this member is as fresh as that.
    pub(super) async fn be_fresh(&self, freshness: &Freshness) -> Result<()> {
        let Freshness {
            at_least,
            consistent,
            timeout,
        } = *freshness;
        let view = |node: &Node| node.agreement(self.handle.clock().now()).view.0;
        let is_reached = || self.handle.read(view) >= at_least;
        if !consistent && is_reached() {
            return Ok(());
        }
        let unsaid = |after: &str| {
            let detail = format!(
                "the coordinator did not say {after}which view is the last; ask again, or leave \
                 out `consistent` to see what is known here"
            );
            Problem::new(Kind::Unanswered, detail)
        };
        let fresh = async {
            if consistent {
                let answer = self.command(Command::ConfirmView).await;
                // It changes nothing: there is nothing to be careful about.
                answer.map_err(|problem| match problem.is(Kind::Unanswered) {
                    true => unsaid(""),
                    false => problem,
                })?;
            }
            self.until(|node| (view(node) >= at_least).then_some(()))
                .await
        };
        let waited = humantime::format_duration(timeout);
        let late = || {
            if is_reached() {
                return unsaid(&format!("within {waited} "));
            }
            let known = self.handle.read(view);
            let detail = format!(
                "view {at_least} did not come here within {waited}; this member knows view \
                 {known}. Ask again, or another member, or wait longer with `timeout`"
            );
            Problem::new(Kind::ViewNotReached, detail)
        };
        self.wait(timeout, fresh, late).await
    }

    /// A command that the coordinator answers, if it does so in time.
    pub(super) async fn ask(&self, command: Command, timeout: Duration) -> Result<Outcome> {
        let late = || {
            let error = muster_swim::AskError::Unanswered;
            Problem::new(Kind::Unanswered, error.to_string())
        };
        self.wait(timeout, self.command(command), late).await
    }

    /// Waits until `look` gives something, or the agent stops.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&Node) -> Option<T>) -> Result<T> {
        let stopping = || {
            let error = crate::agent::CommandError::Stopping;
            Problem::new(Kind::Stopping, error.to_string())
        };
        self.handle
            .until(|node| match self.stopping.get() {
                true => Some(Err(stopping())),
                false => look(node).map(Ok),
            })
            .await
    }

    /// Waits for `work`, if one more may wait, and not longer than that.
    pub(super) async fn wait<T>(
        &self,
        timeout: Duration,
        work: impl Future<Output = Result<T>>,
        late: impl FnOnce() -> Problem,
    ) -> Result<T> {
        let _place = self.place()?;
        let late = async {
            Timer::after(timeout).await;
            Err(late())
        };
        or(work, late).await
    }

    fn place(&self) -> Result<Place> {
        if self.waiting.get() >= self.waiting_most {
            let most = self.waiting_most;
            let detail = format!("{most} requests wait already; try again in a moment");
            return Err(Problem::new(Kind::TooManyWaiting, detail));
        }
        self.waiting.set(self.waiting.get() + 1);
        Ok(Place(Rc::clone(&self.waiting)))
    }
}

/// `true` or `false`.
pub(super) fn switch(key: &str, value: &str) -> Result<bool> {
    let problem = |_| Problem::invalid(format!("{key} is {value:?}, allowed is true or false"));
    value.parse().map_err(problem)
}

/// How long to wait, as people write it.
pub(super) fn timeout(value: &str) -> Result<Duration> {
    let duration = humantime::parse_duration(value).ok();
    let duration = duration.filter(|duration| *duration <= LONGEST);
    duration.ok_or_else(|| {
        Problem::invalid(format!(
            "timeout is {value:?}, allowed is 0s to 5m, written like 500ms or 10s"
        ))
    })
}
