//! What happens to a swarm, and when.

use std::time::Duration;

use muster_swim::sim::{ClockJump, Condition, Dice, Keeping, Launch, Pid};
use muster_swim::{AppHealth, Ending};

use super::{ANCHORS, Swarm, draws, strangers};
use crate::support::*;

/// Something that happens once.
pub(super) struct Blow {
    /// When, from the start of the safety phase.
    pub(super) at: Duration,
    kind: &'static Kind,
    dice: Dice,
}

/// Something that can happen. Its word is the topic of its dice.
struct Kind {
    word: &'static str,
    strike: fn(&mut Swarm, &mut Dice),
}

/// New ones come last: at one instant things happen in this order.
static KINDS: [Kind; 50] = [
    kind("crash", crash),
    kind("crash host", crash_host),
    kind("start", start),
    kind("start again", start),
    kind("pause", pause),
    kind("resume", resume),
    kind("late timers", late_timers),
    kind("starve", starve),
    kind("partition", partition),
    kind("separate", separate),
    kind("heal", heal),
    kind("weather", weather),
    kind("deaf", |swarm, dice| {
        with_host(swarm, dice, |network, host| network.deafen(host));
    }),
    kind("mute", |swarm, dice| {
        with_host(swarm, dice, |network, host| network.mute(host));
    }),
    kind("lossy host", lossy_host),
    kind("cut", cut),
    kind("bad link", bad_link),
    kind("tag", tag),
    kind("namesake", namesake),
    kind("leave", leave),
    kind("block", block),
    kind("wall clock", wall_clock),
    kind("reset", reset),
    kind("restart", restart),
    kind("forget", forget),
    kind("disk full", disk_full),
    kind("disk free", disk_free),
    kind("kill coordinator", kill_coordinator),
    kind("pause coordinator", pause_coordinator),
    kind("leave coordinator", leave_coordinator),
    kind("kill voters", kill_voters),
    kind("leave voter", leave_voter),
    kind("quorum-loss", quorum_loss),
    kind("constrained", constrained),
    kind("chained", chained),
    kind("remove", remove),
    kind("heal again", heal),
    kind("read", read),
    kind("read late", read),
    kind("read again", read),
    kind("attach", attach),
    kind("attach again", attach),
    kind("app ends", end_app),
    kind("app reports", report_app),
    kind("other key", strangers::other_key),
    kind("no key", strangers::no_key),
    kind("other cluster", strangers::other_cluster),
    kind("add key", strangers::add_key),
    kind("use key", strangers::use_key),
    kind("remove key", strangers::remove_key),
];

const fn kind(word: &'static str, strike: fn(&mut Swarm, &mut Dice)) -> Kind {
    Kind { word, strike }
}

/// Most times that one kind happens in a run.
const TIMES: usize = 4;

/// What happens in so much time. Half of the kinds do not happen at all, so that what the others
/// do is not drowned.
pub(super) fn draw_blows(seed: u64, length: Duration) -> Vec<Blow> {
    let mut blows = Vec::new();
    for kind in &KINDS {
        let mut dice = Dice::of_topic(seed, kind.word);
        let times = dice.number(1..TIMES + 1);
        if dice.chance(0.5) {
            continue;
        }
        for _ in 0..times {
            let at = dice.duration(&(ms(0)..length));
            let dice = Dice::new(dice.seed());
            blows.push(Blow { at, kind, dice });
        }
    }
    blows.sort_by_key(|blow| blow.at);
    blows
}

impl Blow {
    pub(super) fn word(&self) -> &str {
        self.kind.word
    }

    pub(super) fn strike(&mut self, swarm: &mut Swarm) {
        (self.kind.strike)(swarm, &mut self.dice);
    }
}

fn running(swarm: &Swarm) -> Vec<Pid> {
    swarm.with_condition(&Condition::Running)
}

fn one_of<T: Copy>(things: &[T], dice: &mut Dice) -> Option<T> {
    (!things.is_empty()).then(|| *dice.pick(things))
}

pub(super) fn victim(swarm: &Swarm, dice: &mut Dice) -> Option<Pid> {
    one_of(&running(swarm), dice)
}

fn crash(swarm: &mut Swarm, dice: &mut Dice) {
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.crash(pid);
    }
}

fn crash_host(swarm: &mut Swarm, dice: &mut Dice) {
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.crash_host(pid);
    }
}

/// Starts a member that is down, perhaps elsewhere or under a clock that was set back.
fn start(swarm: &mut Swarm, dice: &mut Dice) {
    let down: Vec<usize> = (0..swarm.size).filter(|at| !swarm.is_up(*at)).collect();
    let set_back = dice.chance(0.3);
    let elsewhere = dice.chance(0.3);
    let Some(at) = one_of(&down, dice) else {
        return;
    };
    let mut launch = swarm.member(at);
    if set_back {
        launch.clock_behind = HOUR;
    }
    if at >= ANCHORS && elsewhere {
        launch.addr = swarm.new_host();
    }
    swarm.cluster.launch(launch);
}

fn pause(swarm: &mut Swarm, dice: &mut Dice) {
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.pause(pid);
    }
}

fn resume(swarm: &mut Swarm, dice: &mut Dice) {
    let paused = swarm.with_condition(&Condition::Paused);
    if let Some(pid) = one_of(&paused, dice) {
        swarm.cluster.resume(pid);
    }
}

fn late_timers(swarm: &mut Swarm, dice: &mut Dice) {
    let lag = dice.duration(&(ms(0)..secs(3)));
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.slow_timers(pid, lag);
    }
}

fn starve(swarm: &mut Swarm, dice: &mut Dice) {
    let most = *dice.pick(&[ms(0), ms(50), ms(500), secs(5)]);
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.starve(pid, ms(0)..most);
    }
}

fn partition(swarm: &mut Swarm, dice: &mut Dice) {
    let running = running(swarm);
    let count = dice.number(0..running.len() + 1);
    let side = dice.sample(&running, count);
    swarm.cluster.partition(&side);
}

fn separate(swarm: &mut Swarm, dice: &mut Dice) {
    let running = running(swarm);
    let count = dice.number(0..running.len() + 1);
    let both = dice.sample(&running, count);
    let (these, those) = both.split_at(both.len() / 2);
    swarm.cluster.separate(these, those);
}

fn heal(swarm: &mut Swarm, _: &mut Dice) {
    swarm.cluster.network().heal();
}

fn weather(swarm: &mut Swarm, dice: &mut Dice) {
    *swarm.cluster.network().faults() = draws::faults(dice);
}

fn with_host(
    swarm: &mut Swarm,
    dice: &mut Dice,
    hurt: impl Fn(&mut muster_swim::sim::Network, std::net::IpAddr),
) {
    if let Some(pid) = victim(swarm, dice) {
        let host = swarm.cluster.host(pid);
        hurt(swarm.cluster.network(), host);
    }
}

fn lossy_host(swarm: &mut Swarm, dice: &mut Dice) {
    let (incoming, outgoing) = *dice.pick(&[(0.8, 0.0), (0.0, 0.8), (1.0, 0.3), (0.2, 0.2)]);
    with_host(swarm, dice, |network, host| {
        network.lose(host, incoming, outgoing);
    });
}

fn two_hosts(swarm: &Swarm, dice: &mut Dice) -> Option<(std::net::IpAddr, std::net::IpAddr)> {
    let (one, other) = (victim(swarm, dice)?, victim(swarm, dice)?);
    Some((swarm.cluster.host(one), swarm.cluster.host(other)))
}

fn cut(swarm: &mut Swarm, dice: &mut Dice) {
    let both_ways = dice.chance(0.5);
    let Some((from, to)) = two_hosts(swarm, dice) else {
        return;
    };
    let network = swarm.cluster.network();
    if both_ways {
        network.cut_both_ways(from, to);
    } else {
        network.cut(from, to);
    }
}

fn bad_link(swarm: &mut Swarm, dice: &mut Dice) {
    let faults = draws::faults(dice);
    if let Some((from, to)) = two_hosts(swarm, dice) {
        *swarm.cluster.network().link(from, to) = faults;
    }
}

fn tag(swarm: &mut Swarm, dice: &mut Dice) {
    let length = *dice.pick(&[0, 1, 3, 300, 1000]);
    let value = dice.number(0..10).to_string().repeat(length);
    let Some(pid) = victim(swarm, dice) else {
        return;
    };
    if length == 0 {
        swarm.cluster.remove_tag(pid, "tag");
        return;
    }
    let set = swarm.cluster.set_tag(pid, "tag", &value);
    set.expect("it fits");
}

/// Starts another member with the name of one that is up.
fn namesake(swarm: &mut Swarm, dice: &mut Dice) {
    let Some(of) = victim(swarm, dice) else {
        return;
    };
    let mut launch = swarm.cluster.launched(of).clone();
    // It has not the other one's disk.
    launch.keeping = Keeping::Process;
    let anchor = (0..ANCHORS).any(|at| launch.name == Launch::numbered(at).name);
    if !anchor {
        launch.addr = swarm.new_host();
        swarm.cluster.launch(launch);
    }
}

/// What runs beside some goes on until it ends, or its member does.
const APPS: [&str; 3] = ["web", "db", "batch"];

fn attach(swarm: &mut Swarm, dice: &mut Dice) {
    let running = running(swarm);
    let count = dice.number(0..running.len() + 1);
    let app = *dice.pick(&APPS);
    for pid in dice.sample(&running, count) {
        // It may run already, or its member be about to leave.
        let _ = swarm.cluster.attach(pid, app);
    }
}

fn end_app(swarm: &mut Swarm, dice: &mut Dice) {
    let exited = Ending::Exited { status: 3 };
    let killed = Ending::Signalled { signal: 9 };
    let ending = *dice.pick(&[exited, killed, Ending::Detached, Ending::Lost]);
    let (app, again) = (*dice.pick(&APPS), dice.chance(0.5));
    for pid in running(swarm) {
        if swarm.cluster.end_app(pid, app, ending).is_ok() && again {
            let _ = swarm.cluster.attach(pid, app);
        }
    }
}

fn report_app(swarm: &mut Swarm, dice: &mut Dice) {
    let health = *dice.pick(&AppHealth::ALL);
    let (app, note) = (*dice.pick(&APPS), *dice.pick(&["", "queue long"]));
    for pid in running(swarm) {
        let _ = swarm.cluster.report_app(pid, app, health, note);
    }
}

fn leave(swarm: &mut Swarm, dice: &mut Dice) {
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.leave(pid);
    }
}

/// Holds the messages of some, or lets them go.
fn block(swarm: &mut Swarm, dice: &mut Dice) {
    let running = running(swarm);
    let count = dice.number(0..running.len() / 2 + 2);
    let prober_too = dice.chance(0.5);
    for pid in dice.sample(&running, count) {
        if swarm.cluster.is_blocked(pid) {
            swarm.cluster.unblock(pid);
        } else {
            swarm.cluster.block(pid, prober_too);
        }
    }
}

fn wall_clock(swarm: &mut Swarm, dice: &mut Dice) {
    let by = dice.duration(&(ms(0)..24 * HOUR));
    let jump = *dice.pick(&[ClockJump::Ahead(by), ClockJump::Back(by)]);
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.jump_wall_clock(pid, jump);
        let again = dice.chance(0.5);
        if again {
            swarm.cluster.crash(pid);
            swarm.cluster.restart(pid);
        }
    }
}

fn reset(swarm: &mut Swarm, dice: &mut Dice) {
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.reset_streams(pid);
    }
}

fn restart(swarm: &mut Swarm, dice: &mut Dice) {
    let down = *dice.pick(&[ms(0), ms(200), secs(2)]);
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.crash(pid);
        swarm.cluster.run_for(down);
        start_again(swarm, pid);
    }
}

fn start_again(swarm: &mut Swarm, pid: Pid) {
    let name = swarm.cluster.launched(pid).name.clone();
    if !swarm.is_up(Swarm::number_of(&name)) {
        swarm.cluster.restart(pid);
    }
}

/// One starts again with an empty data directory.
fn forget(swarm: &mut Swarm, dice: &mut Dice) {
    if let Some(pid) = victim(swarm, dice) {
        swarm.cluster.crash(pid);
        let name = swarm.cluster.launched(pid).name.clone();
        if !swarm.is_up(Swarm::number_of(&name)) {
            swarm.cluster.wipe_disk(pid);
            swarm.cluster.restart(pid);
        }
    }
}

fn disk_full(swarm: &mut Swarm, dice: &mut Dice) {
    let of_voter = dice.chance(0.7);
    let one = if of_voter {
        voter(swarm, dice)
    } else {
        victim(swarm, dice)
    };
    if let Some(pid) = one {
        swarm.cluster.fill_disk(pid, true);
    }
}

fn disk_free(swarm: &mut Swarm, _: &mut Dice) {
    for pid in swarm.cluster.up() {
        swarm.cluster.fill_disk(pid, false);
    }
}

/// The process that decides now, or one that did last.
fn coordinator(swarm: &Swarm) -> Option<Pid> {
    let decides = |pid: &Pid| swarm.cluster.node(*pid).decides(swarm.cluster.clock(*pid));
    running(swarm).into_iter().find(decides)
}

/// All that run and vote, as the one among them sees it that knows most.
fn voters(swarm: &Swarm) -> Vec<Pid> {
    let running = running(swarm);
    let mark = |pid: &Pid| swarm.cluster.node(*pid).mark();
    let last = running
        .iter()
        .max_by_key(|pid| mark(pid).map(|mark| (mark.lineage, mark.view)));
    let Some(last) = last else {
        return Vec::new();
    };
    let agreement = swarm
        .cluster
        .node(*last)
        .agreement(swarm.cluster.clock(*last));
    let votes = |pid: &Pid| {
        agreement
            .voters
            .contains(&swarm.cluster.launched(*pid).name)
    };
    running.iter().copied().filter(votes).collect()
}

fn voter(swarm: &Swarm, dice: &mut Dice) -> Option<Pid> {
    one_of(&voters(swarm), dice)
}

fn kill_coordinator(swarm: &mut Swarm, dice: &mut Dice) {
    let again = dice.chance(0.5);
    if let Some(pid) = coordinator(swarm) {
        swarm.cluster.crash(pid);
        if again {
            start_again(swarm, pid);
        }
    }
}

fn pause_coordinator(swarm: &mut Swarm, _: &mut Dice) {
    if let Some(pid) = coordinator(swarm) {
        swarm.cluster.pause(pid);
    }
}

fn leave_coordinator(swarm: &mut Swarm, _: &mut Dice) {
    if let Some(pid) = coordinator(swarm) {
        swarm.cluster.leave(pid);
    }
}

/// All voters at once; perhaps they come back.
fn kill_voters(swarm: &mut Swarm, dice: &mut Dice) {
    let again = dice.chance(0.7);
    let voters = voters(swarm);
    for pid in &voters {
        swarm.cluster.crash(*pid);
    }
    if again {
        for pid in voters {
            start_again(swarm, pid);
        }
    }
}

fn leave_voter(swarm: &mut Swarm, dice: &mut Dice) {
    if let Some(pid) = voter(swarm, dice) {
        swarm.cluster.leave(pid);
    }
}

fn cut_between(swarm: &mut Swarm, one: Pid, other: Pid) {
    let (one, other) = (swarm.cluster.host(one), swarm.cluster.host(other));
    if one != other {
        swarm.cluster.network().cut_both_ways(one, other);
    }
}

/// Only one voter reaches all others; the coordinator is another one (Ng, Haridi, Carbone, EuroSys
/// 2023, section 2).
fn quorum_loss(swarm: &mut Swarm, dice: &mut Dice) {
    let voters = voters(swarm);
    let Some(hub) = one_of(&voters, dice) else {
        return;
    };
    for (at, one) in voters.iter().enumerate() {
        for other in &voters[at + 1..] {
            if *one != hub && *other != hub {
                cut_between(swarm, *one, *other);
            }
        }
    }
}

/// The coordinator is cut off from all voters, and only one of those reaches the others.
fn constrained(swarm: &mut Swarm, dice: &mut Dice) {
    quorum_loss(swarm, dice);
    if let Some(coordinator) = coordinator(swarm) {
        for voter in voters(swarm) {
            cut_between(swarm, coordinator, voter);
        }
    }
}

/// Voters stand in a row; each reaches its neighbours only.
fn chained(swarm: &mut Swarm, dice: &mut Dice) {
    let voters = voters(swarm);
    let row = dice.sample(&voters, voters.len());
    for (at, one) in row.iter().enumerate() {
        for other in row.iter().skip(at + 2) {
            cut_between(swarm, *one, *other);
        }
    }
}

/// An operator removes one that may well answer.
fn remove(swarm: &mut Swarm, dice: &mut Dice) {
    let force = dice.chance(0.5);
    let of = dice.number(0..swarm.size);
    if let Some(pid) = victim(swarm, dice) {
        let name = Launch::numbered(of).name;
        swarm.cluster.remove(pid, name.as_str(), force);
    }
}

/// Members ask which view is the last, and see it then.
fn read(swarm: &mut Swarm, dice: &mut Dice) {
    for _ in 0..4 {
        if let Some(pid) = victim(swarm, dice) {
            swarm.cluster.confirm_view(pid);
        }
        swarm.cluster.run_for(ms(50));
    }
}
