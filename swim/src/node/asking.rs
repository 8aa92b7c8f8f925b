//! Questions to the coordinator on behalf of local clients (DESIGN guarantee 9).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::agreement::{Answer, AskError, Quorum, Ticket};
use super::outputs::Action;
use super::rates::Share;
use super::{Lifecycle, Node, Timer};
use crate::limits;
use crate::members::{Name, NameHash};
use crate::time::Time;
use crate::wire::{Errand, Message, Question, Reply};

/// Questions that were not answered yet.
#[derive(Debug, Default)]
pub(super) struct Asking {
    last: u64,
    open: BTreeMap<Ticket, Open>,
}

#[derive(Debug)]
struct Open {
    question: Question,
    seq: u32,
    since: Time,
    /// What the coordinator said; until this node knows that view the answer waits.
    answer: Option<Answer>,
}

/// How long a question waits before it is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// After so long it fails.
const PATIENCE: Duration = Duration::from_secs(5);

impl Node {
    /// Asks the coordinator which view is the last, and waits until this node knows that one too:
    /// what was committed before the call is then seen here. Answered by
    /// [`Action::Answered`](super::Action).
    pub fn confirm_view(&mut self, now: Time) -> Ticket {
        self.enter(now);
        self.ask(Question::Current, now)
    }

    /// Asks the coordinator to remove a member. Unless `force`, one that answers stays.
    /// Answered by [`Action::Answered`](super::Action).
    pub fn remove(&mut self, name: &str, force: bool, now: Time) -> Ticket {
        self.enter(now);
        match Name::new(name) {
            Ok(name) => self.ask(Question::Remove { name, force }, now),
            Err(_) => {
                let ticket = self.next_ticket();
                let error = AskError::NoSuchMember(name.to_owned());
                self.answer(ticket, Answer::Failed(error));
                ticket
            }
        }
    }

    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.agreed.asking.last += 1;
        Ticket(self.agreed.asking.last)
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.actions.push_back(Action::Answered { ticket, answer });
    }

    fn ask(&mut self, question: Question, now: Time) -> Ticket {
        let ticket = self.next_ticket();
        let stays = match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => true,
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => false,
        };
        if !stays {
            self.answer(ticket, Answer::Failed(AskError::Stopped));
            return ticket;
        }
        let full = self.agreed.asking.open.len() >= limits::QUESTIONS;
        if full || self.quorum(now) != Quorum::Held {
            self.answer(ticket, Answer::Failed(AskError::NoCoordinator));
            return ticket;
        }
        // Others have the key, too: none of them is to answer for the coordinator.
        let seq = self.seal.draw();
        let open = Open {
            question,
            seq,
            since: now,
            answer: None,
        };
        self.agreed.asking.open.insert(ticket, open);
        self.put_question(ticket, now);
        self.set_timer(Timer::Ask, now + AGAIN);
        ticket
    }

    /// Asks the coordinator, which may be this node.
    fn put_question(&mut self, ticket: Ticket, now: Time) {
        let Some(open) = self.agreed.asking.open.get(&ticket) else {
            return;
        };
        if open.answer.is_some() {
            return;
        }
        let (seq, question) = (open.seq, open.question.clone());
        let Some(coordinator) = self.office_holder() else {
            return;
        };
        if coordinator == self.me.name {
            let me = self.me.name.clone();
            if let Some(reply) = self.reply_to(&question, &me, now) {
                self.on_told(seq, reply, now);
            }
        } else {
            self.send_errand(&coordinator, Errand::Ask { seq, question });
        }
    }

    pub(super) fn on_ask_timeout(&mut self, now: Time) {
        let open = &self.agreed.asking.open;
        let tickets: Vec<(Ticket, Time)> = open
            .iter()
            .map(|(ticket, open)| (*ticket, open.since))
            .collect();
        for (ticket, since) in tickets {
            if now.since(since) < PATIENCE {
                self.put_question(ticket, now);
            } else {
                self.agreed.asking.open.remove(&ticket);
                self.answer(ticket, Answer::Failed(AskError::Unanswered));
            }
        }
        if !self.agreed.asking.open.is_empty() {
            self.set_timer(Timer::Ask, now + AGAIN);
        }
    }

    /// A question arrived at the coordinator.
    pub(super) fn on_ask(
        &mut self,
        seq: u32,
        question: &Question,
        from: &Name,
        at: SocketAddr,
        now: Time,
    ) {
        if !self.may_ask(Share::calls(from.as_str(), at.ip()), now) {
            return;
        }
        if let Some(reply) = self.reply_to(question, from, now) {
            let to = (NameHash::of(from.as_str()), at);
            self.send_plain(to, Message::Errand(Errand::Told { seq, reply }));
        }
    }

    /// What the coordinator answers; `None`: that comes when it is decided.
    fn reply_to(&mut self, question: &Question, from: &Name, now: Time) -> Option<Reply> {
        if !self.in_office(now) {
            return Some(Reply::NotCoordinator);
        }
        match question {
            Question::Current => Some(Reply::Current(self.agreed.view())),
            Question::Remove { name, force } => {
                let reply = self.remove_on_request(name, *force, from);
                self.set_timer(Timer::Govern, now);
                reply
            }
        }
    }

    pub(super) fn on_told(&mut self, seq: u32, reply: Reply, now: Time) {
        let holder = self.office_holder();
        let mut open = self.agreed.asking.open.iter_mut();
        let Some((&ticket, open)) = open.find(|(_, open)| open.seq == seq) else {
            return;
        };
        // Only itself does a coordinator not remove by force.
        let (subject, is_decider) = match &open.question {
            Question::Current => (String::new(), false),
            Question::Remove { name, force } => {
                (name.to_string(), *force || Some(name) == holder.as_ref())
            }
        };
        let failed = match reply {
            Reply::Current(view) => {
                open.answer = Some(Answer::Current(view));
                None
            }
            Reply::Removed(view) => {
                open.answer = Some(Answer::Removed(view));
                None
            }
            Reply::NoSuchMember => Some(AskError::NoSuchMember(subject)),
            Reply::StillAlive if is_decider => Some(AskError::IsCoordinator(subject)),
            Reply::StillAlive => Some(AskError::StillAlive(subject)),
            // Another one may be in office soon: it is asked again.
            Reply::NotCoordinator => None,
        };
        if let Some(error) = failed {
            self.agreed.asking.open.remove(&ticket);
            return self.answer(ticket, Answer::Failed(error));
        }
        self.answer_waiting(now);
    }

    /// Answers what only waited for a view that is now known.
    pub(super) fn answer_waiting(&mut self, _now: Time) {
        let view = self.agreed.view();
        let waits = |answer: &Answer| match answer {
            Answer::Current(wanted) | Answer::Removed(wanted) => *wanted > view,
            Answer::Keys(_) | Answer::Failed(_) => false,
        };
        let ready: Vec<(Ticket, Answer)> = self
            .agreed
            .asking
            .open
            .iter()
            .filter_map(|(ticket, open)| Some((*ticket, open.answer.clone()?)))
            .filter(|(_, answer)| !waits(answer))
            .collect();
        for (ticket, answer) in ready {
            self.agreed.asking.open.remove(&ticket);
            // What was asked for is what this node now shows, which may be later.
            let answer = match answer {
                Answer::Current(wanted) => Answer::Current(view.max(wanted)),
                Answer::Removed(_) | Answer::Keys(_) | Answer::Failed(_) => answer,
            };
            self.answer(ticket, answer);
        }
    }

    /// Fails every question: this node ends.
    pub(super) fn fail_questions(&mut self) {
        if let Some(ticket) = self.keying.end() {
            self.answer(ticket, Answer::Failed(AskError::Stopped));
        }
        for ticket in std::mem::take(&mut self.agreed.asking.open).into_keys() {
            self.answer(ticket, Answer::Failed(AskError::Stopped));
        }
    }
}
