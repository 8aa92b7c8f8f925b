//! What is done to a cluster, and what is measured of it.

use std::time::{Duration, Instant};

use muster_tests::{Cut, Loopback, wait};
use rustix::process::Signal;

use crate::crowd::Crowd;
use crate::figures::{Figure, Figures};
use crate::peer::{Kind, Peer, socket};
use crate::requests;

/// All must know all by then, and the last survivor of a death. Serf compares whole tables once a
/// minute at 60 members, which repairs what its gossip missed.
const PATIENCE: Duration = Duration::from_secs(150);

/// One thing that is done to a fresh cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// It starts, is quiet, is asked, and three are killed.
    Quiet,
    /// Three are cut off, each by itself.
    Cut,
    /// A quarter of all datagrams is lost.
    Loss,
    /// A tenth of the members is stopped again and again.
    Stopped,
    /// A tenth receives nothing again and again.
    Incoming,
    /// A tenth loses most of what it sends.
    Outgoing,
}

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    /// Between joining and what is measured.
    pub(crate) settle: Duration,
    /// A quiet cluster is watched, and faults last.
    pub(crate) fault: Duration,
    /// Requests are sent.
    pub(crate) requests: Duration,
}

impl Row {
    pub(crate) const ALL: [Row; 6] = [
        Row::Quiet,
        Row::Cut,
        Row::Loss,
        Row::Stopped,
        Row::Incoming,
        Row::Outgoing,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Row::Quiet => "quiet",
            Row::Cut => "cut",
            Row::Loss => "loss",
            Row::Stopped => "stopped",
            Row::Incoming => "incoming",
            Row::Outgoing => "outgoing",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Row> {
        Row::ALL.into_iter().find(|row| row.name() == name)
    }

    /// Does it once; whatever could be measured goes into `figures`.
    pub(crate) fn run(
        self,
        peer: Peer,
        size: usize,
        round: usize,
        spans: Spans,
        figures: &mut Figures,
    ) {
        let mut crowd = Crowd::start(peer, size);
        let joined = crowd.all_said(Kind::Known, PATIENCE);
        let agreed = crowd.all_said(Kind::Agreed, PATIENCE);
        let mut note = |figure, value| figures.add(figure, size, peer, value);
        if !joined.is_finite() {
            eprintln!("  not all came together: the row is left out");
            for member in crowd.ended().iter().take(3) {
                eprintln!("  {member}");
            }
        }
        if self == Row::Quiet {
            note(Figure::Joining, joined);
            note(Figure::Agreed, agreed);
        }
        if !joined.is_finite() {
            return;
        }
        pass(spans.settle);
        let sick = victims(size, (size / 10).max(1), round);
        // Small clusters keep a majority of any three voters.
        let three = victims(size, if size < 10 { 1 } else { 3 }, round);
        match self {
            Row::Quiet => {
                quiet(peer, size, spans, &crowd, &mut note);
                let start = Instant::now();
                crowd.signal(&three, Signal::KILL);
                detection(
                    &crowd,
                    start,
                    &three,
                    [Figure::KillHint, Figure::KillDead],
                    note,
                );
            }
            Row::Cut => {
                let start = Instant::now();
                let (incoming, outgoing) =
                    (Cut::Incoming(three.clone()), Cut::Outgoing(three.clone()));
                crowd.network.impose(&[incoming, outgoing]);
                detection(
                    &crowd,
                    start,
                    &three,
                    [Figure::CutHint, Figure::CutDead],
                    note,
                );
            }
            Row::Loss => {
                let start = Instant::now();
                crowd.network.impose(&[Cut::UdpLoss(25)]);
                pass(spans.fault);
                crowd.network.impose(&[]);
                let count = |kind| crowd.count(start, kind, &[], |_| true) as f64;
                note(Figure::LossHint, count(Kind::Hint));
                note(Figure::LossDead, count(Kind::Dead));
            }
            Row::Stopped => {
                let start = Instant::now();
                while start.elapsed() < spans.fault {
                    crowd.signal(&sick, Signal::STOP);
                    pass(Duration::from_secs(2));
                    crowd.signal(&sick, Signal::CONT);
                    pass(Duration::from_millis(500));
                }
                let count = |kind| crowd.count(start, kind, &[], |_| true) as f64;
                note(Figure::StoppedHint, count(Kind::Hint));
                note(Figure::StoppedDead, count(Kind::Dead));
            }
            Row::Incoming => {
                let start = Instant::now();
                let part = spans.fault / 3;
                for _ in 0..3 {
                    crowd.network.impose(&[Cut::Incoming(sick.clone())]);
                    pass(part);
                    crowd.network.impose(&[]);
                    pass(part);
                }
                let [well, ill] = deaths(&crowd, start, size, &sick);
                note(Figure::IncomingWell, well);
                note(Figure::IncomingSick, ill);
            }
            Row::Outgoing => {
                let start = Instant::now();
                crowd.network.lose_outgoing(80, &sick);
                pass(spans.fault);
                let [well, ill] = deaths(&crowd, start, size, &sick);
                let lacking = crowd.lacking(start, &sick);
                crowd.network.impose(&[]);
                note(Figure::OutgoingWell, well);
                note(Figure::OutgoingSick, ill);
                // The others have no views.
                if peer == Peer::Muster {
                    note(Figure::OutgoingLacking, lacking as f64);
                }
            }
        }
    }
}

fn quiet(peer: Peer, size: usize, spans: Spans, crowd: &Crowd, note: &mut impl FnMut(Figure, f64)) {
    let before = crowd.counters();
    pass(spans.fault);
    let cost = crowd.cost_since(&before);
    note(Figure::Packets, cost.packets);
    note(Figure::Bytes, cost.bytes);
    note(Figure::Cpu, cost.cpu_ms);
    let (resident, proportional) = crowd.memory();
    // A member of kinship is a Python program: what it takes says nothing.
    if peer != Peer::Kinship {
        note(Figure::Resident, resident);
        note(Figure::Proportional, proportional);
    }
    let asked = match peer {
        Peer::Muster => requests::of_muster(&socket(crowd.folder(), size), spans.requests, size),
        Peer::Serf => Ok(requests::of_serf_at(
            crowd.process_id(size),
            Loopback::address(size),
            spans.requests,
            size,
        )),
        Peer::Kinship | Peer::Foca => return,
    };
    match asked {
        Ok(rate) => note(Figure::Requests, rate),
        Err(error) => eprintln!("  requests: {error}"),
    }
}

fn detection(
    crowd: &Crowd,
    start: Instant,
    gone: &[usize],
    figures: [Figure; 2],
    mut note: impl FnMut(Figure, f64),
) {
    for (figure, kind) in figures.into_iter().zip([Kind::Hint, Kind::Dead]) {
        note(figure, crowd.others_said(start, kind, gone, PATIENCE));
    }
}

/// Deaths that healthy members reported: of healthy ones together, and of a sick one by each.
fn deaths(crowd: &Crowd, start: Instant, size: usize, sick: &[usize]) -> [f64; 2] {
    let is_sick = |number| sick.contains(&number);
    let well = crowd.count(start, Kind::Dead, sick, |number| !is_sick(number)) as f64;
    let ill = crowd.count(start, Kind::Dead, sick, is_sick) as f64;
    [well, ill / ((size - sick.len()) * sick.len()) as f64]
}

/// Members evenly spread, others in each round; never the seed.
fn victims(size: usize, count: usize, round: usize) -> Vec<usize> {
    let place = |index: usize| (index * (size - 1) / count + round) % (size - 1);
    (0..count).map(|index| 2 + place(index)).collect()
}

fn pass(span: Duration) {
    wait::throughout(span, || Ok(())).expect("waiting alone has no complaint");
}

#[cfg(test)]
mod tests {
    use super::victims;

    #[test]
    fn victims_are_different_members_and_not_the_seed() {
        for (size, count) in [(5, 3), (10, 1), (60, 6), (150, 15)] {
            for round in 0..size {
                let mut chosen = victims(size, count, round);
                chosen.sort_unstable();
                chosen.dedup();
                assert_eq!(chosen.len(), count, "{size} {count} {round}");
                assert!(chosen[0] > 1 && chosen[count - 1] <= size);
            }
        }
    }
}
