//! The rows of both tables: the same work is timed and counted.

use crate::case::{Case, Handling, Input};
use crate::getters::{Looking, Lookup};
use crate::join::Joining;
use crate::ours::Ours;
use crate::pair::{OurPair, TheirPair};
use crate::theirs::Theirs;

/// Sizes of the clusters that are measured.
pub const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// One line of a table.
pub struct Row {
    /// What is done.
    pub name: &'static str,
    /// Members of the cluster.
    pub members: usize,
    /// Done by Muster.
    pub ours: Box<dyn Case>,
    /// Done by `foca`, where it has the like.
    pub theirs: Option<Box<dyn Case>>,
}

/// What a command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Few samples.
    pub smoke: bool,
    /// Only rows whose name has these words.
    only: Option<String>,
    /// Only clusters of this size.
    members: Option<usize>,
}

impl Options {
    /// From the arguments of this process.
    pub fn parse() -> Result<Options, String> {
        let mut options = Options::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--smoke" => options.smoke = true,
                "--only" => options.only = Some(value()?),
                "--members" => {
                    let members = value()?.parse();
                    options.members = Some(members.map_err(|_| "--members needs a number")?);
                }
                other => return Err(format!("there is no {other:?}: see tests/bench")),
            }
        }
        Ok(options)
    }

    /// The sizes that are wanted.
    pub fn sizes(&self) -> Vec<usize> {
        let wanted = |size: &usize| self.members.is_none_or(|only| only == *size);
        SIZES.into_iter().filter(wanted).collect()
    }

    /// The only size that is wanted.
    pub fn only_members(&self) -> Option<usize> {
        self.members
    }

    /// Whether rows of this name are wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    }
}

/// Hands each wanted row over when it is its turn; no two of them are in memory together.
pub fn each_row(options: &Options, mut visit: impl FnMut(Row)) {
    const QUIET: &str = "quiet probe, both ends";
    if options.wants(QUIET) && options.members.is_none() {
        let (ours, theirs) = (Box::new(OurPair::new()), Box::new(TheirPair::new()));
        visit(Row {
            name: QUIET,
            members: 2,
            ours,
            theirs: Some(theirs),
        });
    }
    for input in Input::ALL {
        each_size(options, input.as_str(), |members| {
            let ours = Box::new(Handling::<Ours>::new(input, members));
            let theirs = Box::new(Handling::<Theirs>::new(input, members));
            visit(Row {
                name: input.as_str(),
                members,
                ours,
                theirs: Some(theirs),
            });
        });
    }
    const JOIN: &str = "join over a stream, each";
    each_size(options, JOIN, |members| {
        visit(Row {
            name: JOIN,
            members,
            ours: Box::new(Joining::new(members)),
            theirs: None,
        });
    });
    for lookup in Lookup::ALL {
        let name = lookup.as_str();
        each_size(options, name, |members| {
            let ours = Box::new(Looking::new(lookup, members));
            visit(Row {
                name,
                members,
                ours,
                theirs: None,
            });
        });
    }
}

fn each_size(options: &Options, name: &str, mut visit: impl FnMut(usize)) {
    if options.wants(name) {
        options.sizes().into_iter().for_each(&mut visit);
    }
}

/// The middle one of some measurements, or the upper one of the two in the middle.
pub fn median(mut measured: Vec<f64>) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured[measured.len() / 2]
}
