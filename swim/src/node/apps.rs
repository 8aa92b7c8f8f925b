//! Apps that live beside this node, and what is told of everybody's.
//!
//! To its users an app runs while its member's record says so and the life of that member is not
//! over by a goodbye or a verdict. Whatever changes either, the difference is told here.

use std::sync::Arc;

use hashbrown::HashSet;

use super::stands::Stand;
use super::{Lifecycle, Node};
use crate::coordinator::Verdict;
use crate::event::{AppDownCause, EventKind, MemberInfo, State};
use crate::members::{
    App, AppError, AppHealth, AppState, AppTurn, Apps, Attachment, Ending, Instance, MemberId,
    Record,
};
use crate::time::Time;

/// What this node keeps of its own apps beside their states.
#[derive(Clone, Debug, Default)]
pub(super) struct Attachments {
    last: Attachment,
    /// Those that ended, in the order in which they did: the first makes room first.
    ended: Vec<Arc<str>>,
    /// When others were last told something new.
    published: Option<Time>,
}

/// A member whose apps may be told when what was agreed has changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppStand {
    id: MemberId,
    instance: Instance,
    over: bool,
}

impl Node {
    /// The apps of this node.
    pub fn apps(&self) -> &Apps {
        &self.me.apps
    }

    /// An app begins to live beside this node. An error changes nothing.
    pub fn attach(&mut self, app: &str, now: Time) -> Result<Attachment, AppError> {
        self.enter(now);
        match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => {}
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => {
                return Err(AppError::Leaving);
            }
        }
        if self.me.apps.get(app).is_some_and(App::is_up) {
            return Err(AppError::Attached(app.to_owned()));
        }
        let attachment = Attachment(self.attachments.last.0 + 1);
        self.put_app(app, App::attached(attachment), now)?;
        self.attachments.last = attachment;
        Ok(attachment)
    }

    /// An app reports its health. An error changes nothing.
    pub fn report_app(
        &mut self,
        app: &str,
        health: AppHealth,
        note: &str,
        now: Time,
    ) -> Result<(), AppError> {
        self.enter(now);
        let attachment = self.running(app, None)?;
        let note = note.into();
        let state = AppState::Up { health, note };
        self.put_app(app, App { attachment, state }, now)
    }

    /// An app ended: this attachment of it, or whichever runs. An error changes nothing.
    pub fn end_app(
        &mut self,
        app: &str,
        attachment: Option<Attachment>,
        ending: Ending,
        now: Time,
    ) -> Result<(), AppError> {
        self.enter(now);
        let attachment = self.running(app, attachment)?;
        let state = AppState::Down(ending);
        self.put_app(app, App { attachment, state }, now)
    }

    /// When all know what was last told of the apps of this node, as a rule: a few hops, and a beat
    /// of gossip where one was missed.
    pub(super) fn apps_known_at(&self) -> Option<Time> {
        let published = self.attachments.published;
        published.map(|at| at + 2 * self.config.gossip_interval)
    }

    /// The attachment of an app that runs, when it is the one that is asked for.
    fn running(&self, app: &str, asked: Option<Attachment>) -> Result<Attachment, AppError> {
        let held = self.me.apps.get(app).filter(|held| held.is_up());
        let held = held.map(|held| held.attachment);
        let held = held.filter(|held| asked.is_none_or(|asked| asked == *held));
        held.ok_or_else(|| AppError::NotAttached(app.to_owned()))
    }

    /// Publishes what became of an app. What ended first makes room.
    fn put_app(&mut self, name: &str, app: App, now: Time) -> Result<(), AppError> {
        let is_down = !app.is_up();
        let mut ended = self.attachments.ended.clone();
        ended.retain(|old| &**old != name);
        let mut kept = self.me.apps.clone();
        let apps = loop {
            match kept.with(name, app.clone()) {
                Ok(apps) => break apps,
                Err(AppError::TooMany | AppError::TooLarge) if !ended.is_empty() => {
                    kept = kept.without(&ended.remove(0));
                }
                Err(error) => return Err(error),
            }
        };
        if is_down {
            ended.push(name.into());
        }
        self.attachments.ended = ended;
        let lives = match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => true,
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => false,
        };
        // Once the node is leaving its last word stands.
        if lives && apps != self.me.apps {
            self.me.apps = apps;
            self.attachments.published = Some(now);
            self.publish(self.me.incarnation.next(), now);
        }
        Ok(())
    }

    /// This node said something new of itself, where it said `before`.
    pub(super) fn tell_own_apps(&mut self, before: &MemberInfo, now: Time) {
        if before.apps.is_empty() && self.me.apps.is_empty() {
            return;
        }
        let me = self.me();
        if before.instance == me.instance {
            return self.tell_app_turns(before.apps.turns(&me.apps), &me, now);
        }
        let cause = match before.verdict {
            Some(Verdict::Dead) => AppDownCause::MemberDead,
            Some(Verdict::Left) => AppDownCause::MemberLeft,
            Some(Verdict::Up) | None => {
                let instance = me.instance;
                AppDownCause::MemberReplaced { instance }
            }
        };
        self.tell_apps_gone(before, cause, now);
        self.tell_apps_up(&me, now);
    }

    /// A newer record of a member was accepted, or another status, where `before` was held: this
    /// tells of the life before, if it was another one.
    pub(super) fn tell_apps_replaced(&mut self, old: &MemberInfo, instance: Instance, now: Time) {
        if !is_over(old.state) {
            let cause = AppDownCause::MemberReplaced { instance };
            self.tell_apps_gone(old, cause, now);
        }
    }

    /// And this of the present life; `before` is what was held of it, and whether it was over.
    pub(super) fn tell_apps(
        &mut self,
        before: Option<(&Record, bool)>,
        info: &MemberInfo,
        now: Time,
    ) {
        let had = before.is_some_and(|(record, _)| !record.apps.is_empty());
        if !had && info.apps.is_empty() {
            return;
        }
        let over = is_over(info.state);
        match before {
            Some((_, true)) if over => {}
            Some((record, false)) => {
                self.tell_app_turns(record.apps.turns(&info.apps), info, now);
                if over {
                    self.tell_apps_gone(info, self.end_of(info), now);
                }
            }
            Some((_, true)) | None => {
                if !over {
                    self.tell_apps_up(info, now);
                }
            }
        }
    }

    /// The members among those whose standing may change that have apps, each once: a cut may name
    /// one of them more often.
    pub(super) fn app_stands(&self, stands: &[Stand]) -> Vec<AppStand> {
        let mut seen = HashSet::new();
        let stand = |stand: &Stand| {
            let record = &self.table.member(stand.id).statement.record;
            (!record.apps.is_empty() && seen.insert(stand.id)).then(|| AppStand {
                id: stand.id,
                instance: record.instance,
                over: is_over(stand.state),
            })
        };
        stands.iter().filter_map(stand).collect()
    }

    /// Something else was agreed about some members.
    pub(super) fn tell_apps_after(&mut self, before: Vec<AppStand>, now: Time) {
        for stand in before {
            let info = self.describe(self.table.info(self.table.member(stand.id)));
            let over = is_over(info.state);
            // Of itself this node tells when a new life begins, which follows a verdict on the old.
            if over == stand.over || info.is_self || info.instance != stand.instance {
                continue;
            }
            if over {
                self.tell_apps_gone(&info, self.end_of(&info), now);
            } else {
                self.tell_apps_up(&info, now);
            }
        }
    }

    /// Tells that all that ran beside a life ended with it.
    pub(super) fn tell_apps_gone(&mut self, member: &MemberInfo, cause: AppDownCause, now: Time) {
        for (app, state) in member.apps.running() {
            let kind = EventKind::AppDown {
                app: Arc::clone(app),
                attachment: state.attachment,
                cause,
            };
            self.tell(member.clone(), kind, now);
        }
    }

    fn tell_apps_up(&mut self, member: &MemberInfo, now: Time) {
        for (app, state) in member.apps.running() {
            let kind = EventKind::AppUp {
                app: Arc::clone(app),
                as_was: state.clone(),
            };
            self.tell(member.clone(), kind, now);
        }
    }

    fn tell_app_turns(&mut self, turns: Vec<AppTurn>, member: &MemberInfo, now: Time) {
        for turn in turns {
            let kind = match turn {
                AppTurn::Up(app, as_was) => EventKind::AppUp { app, as_was },
                AppTurn::Down(app, attachment, ending) => EventKind::AppDown {
                    app,
                    attachment,
                    cause: ending.map_or(AppDownCause::Unknown, AppDownCause::Ended),
                },
                AppTurn::Health(app, is_now) => EventKind::AppHealth { app, is_now },
            };
            self.tell(member.clone(), kind, now);
        }
    }

    /// Why the apps of a life that is over run no more.
    fn end_of(&self, member: &MemberInfo) -> AppDownCause {
        let roster = self.agreed.roster();
        let standing = roster.and_then(|roster| roster.standing(member.name.as_str()));
        match standing.map(|standing| standing.instance) {
            Some(instance) if instance > member.instance => {
                AppDownCause::MemberReplaced { instance }
            }
            Some(_) | None if member.state == State::Left => AppDownCause::MemberLeft,
            Some(_) | None => AppDownCause::MemberDead,
        }
    }
}

/// Whether a life in this state has ended, and with it all that lived beside it.
pub(super) fn is_over(state: State) -> bool {
    match state {
        State::Dead | State::Left => true,
        State::Alive | State::Suspect | State::Degraded | State::Unreachable => false,
    }
}
