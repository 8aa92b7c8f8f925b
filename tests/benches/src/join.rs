//! Joining: the whole table over one stream.

use muster_swim::Node;

use crate::case::Case;
use crate::crowd::{self, Crowd};

/// A member that knows everybody and one that joins through it; one operation is one member of the
/// table, sent by the one and taken by the other.
pub struct Joining {
    host: Node,
    joiner: Option<Node>,
    members: usize,
}

impl Joining {
    /// Among `members`.
    pub fn new(members: usize) -> Joining {
        let crowd = Crowd::new(members);
        let mut host = crowd.insider(0, members, crowd::laconic());
        crowd.settle(&mut host);
        Joining {
            host,
            joiner: None,
            members,
        }
    }

    /// The one that joined, after a run.
    pub fn joiner(&mut self) -> &mut Node {
        self.joiner.as_mut().expect("somebody was prepared to join")
    }
}

impl Case for Joining {
    fn prepare(&mut self) {
        self.joiner = Some(crowd::member(self.members, 0));
    }

    fn run(&mut self) {
        let joiner = self.joiner.as_mut().expect("it was prepared");
        crowd::join(joiner, &mut self.host);
        assert_eq!(
            joiner.members().count(),
            self.members + 1,
            "it heard of everybody"
        );
    }

    fn operations(&self) -> usize {
        self.members
    }
}
