//! What is measured of a run: who told what about whom, who was well then, what it cost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hashbrown::HashMap;

use super::traffic::{bytes_received, bytes_sent, packets_sent};
use super::{Fate, Outcome, Series};
use crate::config::Config;
use crate::event::{DeadCause, Event, EventKind, UnreachableCause};
use crate::sim::checks::{self, Budget, Gone, Property, Violation};
use crate::sim::{Cluster, Condition, Pid, Traffic};
use crate::time::Time;

/// Follows a run.
#[derive(Debug)]
pub(super) struct Measure {
    began: Option<Time>,
    ended: Option<Time>,
    others_start: Time,
    members: Vec<Watched>,
    by_name: HashMap<String, usize>,
    by_pid: Vec<usize>,
    fates: Vec<Open>,
    /// Deaths told by one that was well, by subject and teller.
    deaths: BTreeMap<(usize, usize), u32>,
    /// Whom each member suspects, by teller and subject.
    suspected: BTreeSet<(usize, usize)>,
    apart: Apart,
    /// Of each process: at the start of the measured part, and a second ago.
    before: Vec<Traffic>,
    second: Vec<Traffic>,
    keep_series: bool,
    /// Whether the network is without fault throughout.
    clean: bool,
    /// Whether a death is a verdict; else it is what one member believes.
    verdicts: bool,
    /// Members that were up, summed over the whole seconds of the measured part.
    up_seconds: u64,
    /// The first death of one that was well told by one that was well.
    wrong: Option<(usize, usize, Time)>,
    out: Outcome,
}

/// What is known of a member from outside.
#[derive(Debug)]
struct Watched {
    name: String,
    pid: Pid,
    /// When its process started: it need not know who was gone by then.
    started: Time,
    hurt: bool,
    well_since: Option<Time>,
    down: bool,
    /// The last of its fates, while it may still be told.
    fate: Option<usize>,
    changed: Option<Time>,
    changes: u32,
}

/// A fate that is still to be told.
#[derive(Debug)]
struct Open {
    subject: usize,
    fault: &'static str,
    onset: Time,
    first: Option<Time>,
    last: Option<Time>,
    told: BTreeSet<usize>,
    everywhere: bool,
}

/// Members that a partition keeps from all others.
#[derive(Debug, Default)]
struct Apart {
    members: BTreeSet<usize>,
    until: Option<Time>,
}

/// So long after it was hurt a member still counts as such: what was begun then comes out later
/// (a suspicion of Lifeguard lasts up to a minute).
const RECOVERY: Duration = Duration::from_secs(60);

impl Measure {
    /// `clean`: whether the network is without fault throughout.
    pub(super) fn new(seed: u64, keep_series: bool, clean: bool, verdicts: bool) -> Measure {
        Measure {
            began: None,
            ended: None,
            others_start: Time::ZERO,
            members: Vec::new(),
            by_name: HashMap::new(),
            by_pid: Vec::new(),
            fates: Vec::new(),
            deaths: BTreeMap::new(),
            suspected: BTreeSet::new(),
            apart: Apart::default(),
            before: Vec::new(),
            second: Vec::new(),
            keep_series,
            clean,
            verdicts,
            up_seconds: 0,
            wrong: None,
            out: Outcome::of_seed(seed),
        }
    }

    // What the run says

    pub(super) fn others_start(&mut self, at: Time) {
        self.others_start = at;
    }

    pub(super) fn has_settled(&self) -> bool {
        self.out.settled_after.is_some()
    }

    pub(super) fn settled(&mut self, at: Time) {
        self.out.settled_after = Some(at.since(self.others_start));
    }

    pub(super) fn member(&mut self, name: &str, pid: Pid, at: Time) {
        let number = self.members.len();
        self.by_name.insert(name.to_owned(), number);
        self.members.push(Watched {
            name: name.to_owned(),
            pid,
            started: at,
            hurt: false,
            well_since: None,
            down: false,
            fate: None,
            changed: None,
            changes: 0,
        });
        self.runs_as(number, pid);
    }

    pub(super) fn restarted(&mut self, number: usize, pid: Pid, at: Time) {
        self.members[number].pid = pid;
        self.members[number].started = at;
        self.members[number].down = false;
        self.runs_as(number, pid);
    }

    fn runs_as(&mut self, number: usize, pid: Pid) {
        debug_assert_eq!(
            self.by_pid.len(),
            pid.0 as usize,
            "processes start in order"
        );
        self.by_pid.push(number);
        self.before.push(Traffic::default());
        self.second.push(Traffic::default());
    }

    /// A fault begins. While another lasts, what is told of the member is told of that one, unless
    /// this one ends it.
    pub(super) fn hurt(&mut self, number: usize, fault: &'static str, at: Time) {
        let ends = matches!(fault, "crash" | "crash-host");
        let member = &self.members[number];
        if member.down || (member.hurt && !ends) {
            return;
        }
        self.close_fate(number);
        let member = &mut self.members[number];
        member.hurt = true;
        member.down = ends;
        if matches!(fault, "leave" | "restart") {
            return;
        }
        member.fate = Some(self.fates.len());
        self.fates.push(Open {
            subject: number,
            fault,
            onset: at,
            first: None,
            last: None,
            told: BTreeSet::new(),
            everywhere: false,
        });
    }

    pub(super) fn well(&mut self, number: usize, at: Time) {
        self.members[number].hurt = false;
        self.members[number].well_since = Some(at);
    }

    pub(super) fn part(&mut self, members: &[usize]) {
        self.apart = Apart {
            members: members.iter().copied().collect(),
            until: None,
        };
    }

    pub(super) fn unite(&mut self, at: Time) {
        self.apart.until = Some(at + RECOVERY);
    }

    // The measured part

    pub(super) fn begin(&mut self, cluster: &Cluster) {
        self.began = Some(cluster.now());
        for (pid, before) in self.before.iter_mut().enumerate() {
            *before = cluster.traffic(Pid(pid as u32));
        }
        self.second.clone_from(&self.before);
    }

    /// Takes what was told since the last time.
    pub(super) fn read(&mut self, cluster: &mut Cluster) {
        let news = cluster.take_news();
        if self.began.is_none() || self.ended.is_some() {
            return;
        }
        for (pid, event) in news {
            self.on_event(self.by_pid[pid.0 as usize], &event, cluster);
        }
    }

    fn on_event(&mut self, teller: usize, event: &Event, cluster: &Cluster) {
        let Some(&subject) = self.by_name.get(event.member.name.as_str()) else {
            return;
        };
        if subject == teller {
            return;
        }
        let pair = (teller, subject);
        let former = event.member.instance < cluster.first_life(self.members[subject].pid);
        match &event.kind {
            EventKind::Suspect { .. } => {
                self.suspected.insert(pair);
                if self.is_well(subject, event.time) && !self.apart(teller, subject, event.time) {
                    self.out.false_suspicions += 1;
                }
            }
            EventKind::Unreachable { cause } => {
                self.suspected.remove(&pair);
                let lost = match cause {
                    UnreachableCause::Timeout { .. } | UnreachableCause::Told { .. } => true,
                    UnreachableCause::Superseded { .. }
                    | UnreachableCause::Goodbye
                    | UnreachableCause::Verdict => false,
                };
                if self.verdicts {
                    self.on_hint(teller, subject, lost, event.time);
                    return;
                }
                self.change(teller, event.time);
                self.change_of(teller, subject, event.time);
                if lost {
                    self.on_death(teller, subject, former, event.time);
                }
            }
            EventKind::Dead { cause } => {
                self.suspected.remove(&pair);
                self.change(teller, event.time);
                self.change_of(teller, subject, event.time);
                match cause {
                    DeadCause::Convicted { .. } | DeadCause::Unknown => {
                        self.on_death(teller, subject, former, event.time);
                    }
                    DeadCause::Replaced { .. } => {}
                }
            }
            EventKind::Up | EventKind::Left => {
                self.change(teller, event.time);
                self.change_of(teller, subject, event.time);
            }
            EventKind::Reachable => {
                // One that was suspected was there all the time.
                if !self.suspected.remove(&pair) && !self.verdicts {
                    self.change(teller, event.time);
                    self.change_of(teller, subject, event.time);
                }
            }
            EventKind::Degraded { .. }
            | EventKind::Updated
            | EventKind::AppUp { .. }
            | EventKind::AppDown { .. }
            | EventKind::AppHealth { .. }
            | EventKind::CoordinatorChanged
            | EventKind::QuorumLost
            | EventKind::QuorumRegained { .. }
            | EventKind::SelfRemoved { .. }
            | EventKind::SelfReadmitted => {}
        }
    }

    /// A member holds another one for unreachable, by itself.
    fn on_hint(&mut self, teller: usize, subject: usize, lost: bool, at: Time) {
        let well = self.is_well(subject, at) && !self.apart(teller, subject, at);
        if lost && well && !self.members[subject].down {
            self.out.false_hints += 1;
        }
    }

    fn on_death(&mut self, teller: usize, subject: usize, former: bool, at: Time) {
        let teller_is_well = self.is_well(teller, at);
        if self.members[subject].down || former {
            // True.
        } else if !self.is_well(subject, at) {
            self.out.deaths_of_hurt += 1;
        } else if !self.apart(teller, subject, at) {
            self.out.false_deaths += 1;
            self.out.false_deaths_at_healthy += u64::from(teller_is_well);
            if teller_is_well {
                self.wrong.get_or_insert((teller, subject, at));
            }
        }
        let Some(fate) = self.members[subject].fate.filter(|_| teller_is_well) else {
            return;
        };
        *self.deaths.entry((subject, teller)).or_default() += 1;
        let fate = &mut self.fates[fate];
        if fate.told.insert(teller) {
            fate.first.get_or_insert(at);
            fate.last = Some(at);
        }
    }

    fn change(&mut self, teller: usize, at: Time) {
        let member = &mut self.members[teller];
        if member.changed != Some(at) {
            member.changed = Some(at);
            member.changes += 1;
        }
    }

    /// Whoever is removed twice should be left alone from then on.
    fn change_of(&mut self, teller: usize, subject: usize, at: Time) {
        let deaths = self.deaths.get(&(subject, teller));
        if deaths.is_some_and(|deaths| *deaths >= 2) && self.is_well(teller, at) {
            self.out.changes_after_second_death += 1;
        }
    }

    fn is_well(&self, number: usize, at: Time) -> bool {
        let member = &self.members[number];
        let recovered = member.well_since.is_none_or(|since| at > since + RECOVERY);
        !member.hurt && recovered
    }

    fn apart(&self, one: usize, other: usize, at: Time) -> bool {
        let sides = |number| self.apart.members.contains(number);
        sides(&one) != sides(&other) && self.apart.until.is_none_or(|until| at <= until)
    }

    /// A second has passed.
    pub(super) fn second(&mut self, cluster: &Cluster) {
        let mut all = 0;
        for pid in 0..self.by_pid.len() {
            let now = cluster.traffic(Pid(pid as u32));
            let passed = now.since(&self.second[pid]);
            self.second[pid] = now;
            let (sent, received) = (bytes_sent(&passed), bytes_received(&passed));
            let traffic = &mut self.out.traffic;
            traffic.bytes_sent_max = traffic.bytes_sent_max.max(sent);
            traffic.bytes_received_max = traffic.bytes_received_max.max(received);
            all += sent;
        }
        self.out.traffic.each_second.push(all);
        for member in self
            .members
            .iter()
            .filter(|member| is_up(cluster, member.pid))
        {
            self.up_seconds += 1;
            let size = size(cluster, member.pid);
            *self.out.sizes.entry(size).or_default() += 1;
        }
    }

    /// Takes one sample if samples are kept.
    pub(super) fn sample(&mut self, cluster: &Cluster, step: Duration) -> bool {
        if !self.keep_series {
            return false;
        }
        let series = self.out.series.get_or_insert_with(|| Series {
            step,
            present: Vec::new(),
        });
        let taken = series
            .present
            .first()
            .map_or(0, |(_, samples)| samples.len());
        for member in &self.members[series.present.len()..] {
            series
                .present
                .push((member.name.clone(), vec![None; taken]));
        }
        for (member, (_, samples)) in self.members.iter().zip(&mut series.present) {
            let present = size(cluster, member.pid) as u32;
            samples.push(is_up(cluster, member.pid).then_some(present));
        }
        true
    }

    pub(super) fn end(&mut self, cluster: &Cluster) {
        let began = *self.began.get_or_insert(cluster.now());
        self.ended = Some(cluster.now());
        for number in 0..self.members.len() {
            self.close_fate(number);
        }
        let measured = cluster.now().since(began);
        self.out.measured = measured;
        let mut all = Traffic::default();
        for (pid, before) in self.before.iter().enumerate() {
            all.add(&cluster.traffic(Pid(pid as u32)).since(before));
        }
        self.out.messages = all.datagrams_sent + all.stream_messages_sent;
        let seconds = measured.as_secs_f64();
        let up = if self.up_seconds == 0 {
            self.members.len() as f64 * seconds
        } else {
            self.up_seconds as f64 * seconds / seconds.floor()
        };
        let each = up.max(1e-9);
        let traffic = &mut self.out.traffic;
        traffic.packets_sent = packets_sent(&all) as f64 / each;
        traffic.bytes_sent = bytes_sent(&all) as f64 / each;
        traffic.bytes_received = bytes_received(&all) as f64 / each;
        let up = self
            .members
            .iter()
            .filter(|member| is_up(cluster, member.pid));
        let scores: Vec<u8> = up
            .clone()
            .map(|member| cluster.node(member.pid).health())
            .collect();
        let sum: f64 = scores.iter().map(|score| f64::from(*score)).sum();
        let worst = scores.iter().max().copied().unwrap_or(0);
        self.out.health = (sum / (scores.len() as f64).max(1.0), worst);
        let mut sizes: Vec<usize> = up.clone().map(|member| size(cluster, member.pid)).collect();
        sizes.sort_unstable();
        let nth = |at: usize| sizes.get(at).copied().unwrap_or(0);
        let last = sizes.len().saturating_sub(1);
        self.out.sizes_at_end = [nth(0), nth(sizes.len() / 2), nth(last)];
        let mut changes: Vec<u32> = up.map(|member| member.changes).collect();
        changes.sort_unstable();
        let median = changes.get(changes.len() / 2).copied().unwrap_or(0);
        self.out.changes = (median, changes.last().copied().unwrap_or(0));
        self.check(cluster);
    }

    /// What must hold of the measured part, as far as it can be said of this one.
    fn check(&mut self, cluster: &Cluster) {
        let began = self.began.unwrap_or_default();
        let never_hurt = |member: &&Watched| !member.hurt && member.well_since.is_none();
        let well: Vec<Pid> = self
            .members
            .iter()
            .filter(never_hurt)
            .map(|m| m.pid)
            .collect();
        let one_at_most = self.members.len() <= well.len() + 1;
        if let Some((teller, subject, at)) = self.wrong.filter(|_| self.clean && one_at_most) {
            let count = self.out.false_deaths_at_healthy;
            let subject = &self.members[subject].name;
            self.out.violations.push(Violation {
                property: Property::Accuracy,
                at,
                process: self.members[teller].name.clone(),
                text: format!(
                    "told the death of {subject}, which is well; {count} such deaths in all"
                ),
            });
        }
        // Nothing happened, and the members knew each other before.
        let calm = well.len() == self.by_pid.len() && self.before_all_knew_all(began);
        if self.clean && calm {
            let before: Vec<(Pid, Traffic)> = well
                .iter()
                .map(|pid| (*pid, self.before[pid.0 as usize]))
                .collect();
            let budget = quiet_budget(cluster.node(well[0]).config(), well.len());
            let found = checks::constant_cost(cluster, &before, began, &budget);
            self.out.violations.extend(found);
        }
    }

    fn before_all_knew_all(&self, began: Time) -> bool {
        let settled = self
            .out
            .settled_after
            .map(|after| self.others_start + after);
        settled.is_some_and(|settled| settled <= began)
    }

    /// Nobody can tell of it any more, or it does not count from here on.
    fn close_fate(&mut self, number: usize) {
        let Some(fate) = self.members[number].fate.take() else {
            return;
        };
        let at = self.fates[fate].last.unwrap_or_default();
        let mut others = 0..self.members.len();
        let onset = self.fates[fate].onset;
        let everywhere = others.all(|other| {
            let watched = &self.members[other];
            let was_there = other != number && !watched.down && watched.started <= onset;
            !was_there || !self.is_well(other, at) || self.fates[fate].told.contains(&other)
        });
        self.fates[fate].everywhere = everywhere;
    }

    /// All faults have ended and the time for it has passed, or all agree.
    pub(super) fn afterwards(&mut self, agreed: bool, cluster: &Cluster) {
        let since = self.ended.unwrap_or_default();
        let took = cluster.now().since(since);
        self.out.without_quorum = self.verdicts && !cluster.has_quorum();
        if agreed {
            self.out.agreed_after = Some(took);
            return;
        }
        let up = cluster.up();
        let gone: Vec<Gone> = self
            .fates
            .iter()
            .filter(|fate| self.members[fate.subject].down)
            .map(|fate| Gone {
                pid: self.members[fate.subject].pid,
                since: fate.onset,
            })
            .collect();
        let mut found = checks::healing(cluster, since, took);
        if self.verdicts {
            found.extend(checks::one_view(cluster, since, took));
        }
        found.extend(checks::refutation(cluster, &up, &up, since, took));
        found.extend(checks::completeness(cluster, &up, &gone, took));
        self.out.violations.extend(found);
    }

    pub(super) fn finish(mut self, cluster: &Cluster) -> Outcome {
        if self.ended.is_none() {
            self.end(cluster);
        }
        let mut worst: BTreeMap<usize, u32> = BTreeMap::new();
        for ((subject, _), count) in &self.deaths {
            let worst = worst.entry(*subject).or_default();
            *worst = (*worst).max(*count);
        }
        let began = self.began.unwrap_or_default();
        self.out.trace_hash = cluster.trace_hash();
        self.out.violations.extend_from_slice(cluster.violations());
        self.out.fates = self
            .fates
            .into_iter()
            .map(|fate| Fate {
                name: self.members[fate.subject].name.clone(),
                fault: fate.fault,
                onset: fate.onset.since(began),
                first: fate.first.map(|first| first.since(fate.onset)),
                everywhere: fate
                    .last
                    .filter(|_| fate.everywhere)
                    .map(|last| last.since(fate.onset)),
                deaths: worst.get(&fate.subject).copied().unwrap_or(0),
            })
            .collect();
        self.out
    }
}

/// A ping to each successor and one random member in a period, each with its ack, a tenth more for
/// what is left of the joining, and what the voters of the whole cluster may cost (DESIGN 4.1: 12
/// packets a second); bytes depend on the lengths of names.
fn quiet_budget(config: &Config, members: usize) -> Budget {
    let pings = (config.rings as f64 + 1.0) / config.period.as_secs_f64();
    // A lease of another length costs accordingly.
    let leases = 2.4 / config.lease.as_secs_f64();
    let voting = if config.parts.verdicts {
        12.0 * leases
    } else {
        0.0
    };
    Budget {
        packets_per_s: 2.2 * pings + voting / members as f64,
        bytes_per_s: f64::INFINITY,
        streams_per_s: 0.1,
    }
}

/// How many members a process knows: of the view, or, without one, by itself.
fn size(cluster: &Cluster, pid: Pid) -> usize {
    let node = cluster.node(pid);
    match node.mark() {
        Some(_) => node.standings().count(),
        None => node.present(),
    }
}

fn is_up(cluster: &Cluster, pid: Pid) -> bool {
    match cluster.condition(pid) {
        Condition::Running | Condition::Paused => true,
        Condition::Crashed | Condition::Stopped(..) => false,
    }
}
