//! What it costs to look something up.

use std::hint::black_box;

use muster_swim::Node;

use crate::case::Case;
use crate::crowd::{self, Crowd};

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Both neighbours on every ring, copied out.
    Rings,
    /// The digest of the table.
    Digest,
    /// One member by its name, copied out.
    Member,
    /// All members, copied out; one operation is one member.
    Members,
}

impl Lookup {
    /// All of them.
    pub const ALL: [Lookup; 4] = [
        Lookup::Rings,
        Lookup::Digest,
        Lookup::Member,
        Lookup::Members,
    ];

    /// Words for a table.
    pub fn as_str(self) -> &'static str {
        match self {
            Lookup::Rings => "all neighbours on 3 rings",
            Lookup::Digest => "digest",
            Lookup::Member => "a member by name",
            Lookup::Members => "all members, each",
        }
    }
}

/// One kind of look-up in one member's table.
pub struct Looking {
    node: Node,
    lookup: Lookup,
    names: Vec<String>,
}

/// Look-ups in one run.
const BATCH: usize = 256;

impl Looking {
    /// Among `members`.
    pub fn new(lookup: Lookup, members: usize) -> Looking {
        let node = Crowd::new(members).insider(0, members, crowd::laconic());
        let names = (0..BATCH).map(|turn| crowd::name(turn * 7919 % members).to_string());
        Looking {
            node,
            lookup,
            names: names.collect(),
        }
    }
}

impl Case for Looking {
    fn prepare(&mut self) {}

    fn run(&mut self) {
        match self.lookup {
            Lookup::Rings => {
                for _ in 0..BATCH {
                    black_box(self.node.rings());
                }
            }
            Lookup::Digest => {
                for _ in 0..BATCH {
                    black_box(black_box(&self.node).digest());
                }
            }
            Lookup::Member => {
                for name in &self.names {
                    black_box(self.node.member(name));
                }
            }
            Lookup::Members => {
                for member in self.node.members() {
                    black_box(member);
                }
            }
        }
    }

    fn operations(&self) -> usize {
        match self.lookup {
            Lookup::Rings | Lookup::Digest | Lookup::Member => BATCH,
            Lookup::Members => self.node.members().count(),
        }
    }
}
