//! Everything that was measured, and what Muster has to reach.

use std::collections::BTreeMap;

use crate::peer::Peer;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    Joining,
    Agreed,
    Packets,
    Bytes,
    Cpu,
    Resident,
    Proportional,
    Requests,
    KillHint,
    KillDead,
    CutHint,
    CutDead,
    LossHint,
    LossDead,
    StoppedHint,
    StoppedDead,
    IncomingWell,
    IncomingSick,
    OutgoingWell,
    OutgoingSick,
    OutgoingLacking,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
enum Mark {
    /// Nothing: the line explains another one.
    None,
    /// At most Serf's in the same run.
    Serf,
    /// At most Serf's in the same run; up to 10 members, that and so much for the whole cluster.
    SerfAnd(f64),
    /// At least Serf's in the same run.
    AboveSerf,
    /// The median is at most the first, the worst at most the second.
    Below(f64, f64),
}

impl Figure {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Figure::Joining => "all know all, from first start (s)",
            Figure::Agreed => "the same, as agreed by all: `member-up` (s)",
            Figure::Packets => "quiet: packets/s per member",
            Figure::Bytes => "quiet: bytes/s per member",
            Figure::Cpu => "quiet: CPU ms/s per member",
            Figure::Resident => "resident memory (MB)",
            Figure::Proportional => "proportional memory (MB)",
            Figure::Requests => "lists of all members/s, one client",
            Figure::KillHint => {
                "`kill -9` of 3 (below 10 members: 1): the last survivor knows, hint (s)"
            }
            Figure::KillDead => "the same, verdict (s)",
            Figure::CutHint => "3 cut off (below 10: 1): the last survivor knows, hint (s)",
            Figure::CutDead => "the same, verdict (s)",
            Figure::LossHint => "25 % of UDP lost: false `unreachable`",
            Figure::LossDead => "the same: false deaths",
            Figure::StoppedHint => "10 % stopped 2 s of every 2.5 s: false `unreachable`",
            Figure::StoppedDead => "the same: false deaths",
            Figure::IncomingWell => "10 % lose all incoming, 3 times: deaths of healthy by healthy",
            Figure::IncomingSick => "the same: deaths of each sick one by each healthy one",
            Figure::OutgoingWell => "10 % lose 80 % of outgoing: deaths of healthy by healthy",
            Figure::OutgoingSick => "the same: deaths of each sick one by each healthy one",
            Figure::OutgoingLacking => {
                "the same: healthy members that lack a verdict, in its view, that another one told"
            }
        }
    }

    fn mark(self) -> Mark {
        match self {
            Figure::Joining => Mark::Serf,
            Figure::Packets => Mark::SerfAnd(12.0),
            Figure::Bytes => Mark::Serf,
            Figure::Cpu => Mark::Below(0.25, f64::INFINITY),
            Figure::Resident => Mark::Below(5.0, f64::INFINITY),
            Figure::Proportional => Mark::Below(1.5, f64::INFINITY),
            Figure::Requests => Mark::AboveSerf,
            Figure::KillHint => Mark::Below(0.1, 0.25),
            Figure::CutHint => Mark::Below(1.5, 3.0),
            Figure::LossDead
            | Figure::StoppedDead
            | Figure::IncomingWell
            | Figure::OutgoingWell
            | Figure::OutgoingLacking => Mark::Below(0.0, 0.0),
            Figure::IncomingSick => Mark::Below(2.0, f64::INFINITY),
            Figure::OutgoingSick => Mark::Below(1.0, f64::INFINITY),
            Figure::Agreed
            | Figure::KillDead
            | Figure::CutDead
            | Figure::LossHint
            | Figure::StoppedHint => Mark::None,
        }
    }
}

/// Values of one figure at one peer and size, one for each repetition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(Vec<f64>);

impl Values {
    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() % 2 {
            1 => self.0[middle],
            _ => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }

    fn worst(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The median, and the least and the largest when there are several.
    pub(crate) fn shown(&self) -> String {
        match self.0.as_slice() {
            [only] => number(*only),
            [first, .., last] if first == last => number(*first),
            [first, .., last] => {
                let (first, last) = (number(*first), number(*last));
                format!("{} ({first}-{last})", number(self.median()))
            }
            [] => "-".to_owned(),
        }
    }
}

pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        "never".to_owned()
    } else if value >= 100.0 || value == 0.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// All values.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<(Figure, usize), BTreeMap<Peer, Values>>);

impl Figures {
    pub(crate) fn add(&mut self, figure: Figure, size: usize, peer: Peer, value: f64) {
        let at = self.0.entry((figure, size)).or_default();
        let values = at.entry(peer).or_default();
        values.0.push(value);
        values.0.sort_by(f64::total_cmp);
    }

    /// The lines in order: figure, members, values by peer.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (Figure, usize, &BTreeMap<Peer, Values>)> {
        self.0
            .iter()
            .map(|(&(figure, size), values)| (figure, size, values))
    }

    /// Whether every cluster of this peer came together that was measured for it.
    pub(crate) fn came_together(&self, peer: Peer) -> bool {
        let joined = self
            .0
            .iter()
            .filter(|((figure, _), _)| *figure == Figure::Joining);
        let mut values = joined.filter_map(|(_, values)| values.get(&peer));
        values.all(|values| values.worst().is_finite())
    }

    /// Muster's share of Serf's median.
    pub(crate) fn ratio(values: &BTreeMap<Peer, Values>) -> Option<f64> {
        let ours = values.get(&Peer::Muster)?.median();
        let theirs = values.get(&Peer::Serf)?.median();
        (theirs != 0.0 && theirs.is_finite() && ours.is_finite()).then_some(ours / theirs)
    }

    /// The mark in words, and whether it is reached, if that can be told.
    pub(crate) fn judged(
        figure: Figure,
        size: usize,
        values: &BTreeMap<Peer, Values>,
    ) -> (String, Option<bool>) {
        let ours = values.get(&Peer::Muster);
        let median = ours.map(Values::median);
        // Nothing is won against a cluster that never came so far.
        let serf = values.get(&Peer::Serf).map(Values::median);
        let serf = serf.filter(|serf| serf.is_finite());
        let beside = |more: f64| Some(median? <= serf? + more);
        match figure.mark() {
            Mark::None => ("-".to_owned(), None),
            Mark::SerfAnd(more) if size <= 10 => (
                format!("at most Serf's, and {more} for all together"),
                beside(more / size as f64),
            ),
            Mark::Serf | Mark::SerfAnd(_) => ("at most Serf's".to_owned(), beside(0.0)),
            Mark::AboveSerf => (
                "at least Serf's".to_owned(),
                median.zip(serf).map(|(ours, theirs)| ours >= theirs),
            ),
            Mark::Below(middle, worst) => {
                let reached = ours.map(|ours| ours.median() <= middle && ours.worst() <= worst);
                let words = match worst.is_finite() && worst != middle {
                    true => format!("{middle} median, {worst} worst"),
                    false => format!("at most {middle}"),
                };
                (words, reached)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Figures};
    use crate::peer::Peer;

    #[test]
    fn a_line_is_judged_by_median_and_worst_or_beside_serf() {
        let mut figures = Figures::default();
        for value in [0.05, 0.3, 0.02] {
            figures.add(Figure::KillHint, 10, Peer::Muster, value);
        }
        figures.add(Figure::Packets, 10, Peer::Muster, 3.0);
        figures.add(Figure::Packets, 10, Peer::Serf, 2.0);
        figures.add(Figure::Packets, 60, Peer::Muster, 3.0);
        figures.add(Figure::Packets, 60, Peer::Serf, 2.0);
        figures.add(Figure::Joining, 60, Peer::Muster, f64::INFINITY);
        figures.add(Figure::Joining, 150, Peer::Muster, 2.0);
        figures.add(Figure::Joining, 150, Peer::Serf, f64::INFINITY);
        let told: Vec<_> = figures
            .lines()
            .map(|(figure, size, values)| (size, Figures::judged(figure, size, values).1))
            .collect();
        let expected = [
            (60, None),
            (150, None),
            (10, Some(true)),
            (60, Some(false)),
            (10, Some(false)),
        ];
        assert_eq!(told, expected);
    }
}
