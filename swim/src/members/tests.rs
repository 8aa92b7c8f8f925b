//! Members: the rules of precedence, merging, digests, lists, names and tags.

mod apps;
mod digest;
mod lists;
mod merging;
mod precedence;
mod text;

use std::sync::Arc;

use proptest::prelude::*;

pub(crate) use apps::{fullest_apps, some_apps};

use super::{Apps, Incarnation, Instance, Merge, Name, Record, Statement, Status, Table, Tags};
use crate::config::Config;
use crate::coordinator::VoterId;
use crate::detector::Suspicion;
use crate::time::Time;

const STATUSES: [Status; 4] = [
    Status::Alive,
    Status::Suspect,
    Status::Unreachable,
    Status::Left,
];

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn statement(of: &str, instance: u64, incarnation: u32, status: Status) -> Statement {
    let record = Record {
        name: name(of),
        addr: "192.0.2.1:7946".parse().expect("a valid address"),
        instance: Instance(instance),
        incarnation: Incarnation(incarnation),
        tags: Tags::default(),
        voter: VoterId::NEVER,
        returns: 0,
        apps: Apps::default(),
    };
    Statement {
        record: record.into(),
        status,
    }
}

/// A table of `me`.
fn table() -> Table {
    Table::new(statement("me", 1, 0, Status::Alive), 3, Time::ZERO)
}

/// Merges as a node does: who becomes suspect gets a suspicion.
fn merge(table: &mut Table, statement: Statement) -> Merge {
    let about = statement.record.name.clone();
    let merged = table.merge(statement, Time::ZERO);
    let members = table.present();
    if let Some(member) = table.get_mut(about.as_str())
        && member.statement.status == Status::Suspect
        && member.suspicion.is_none()
    {
        let suspicion = Suspicion::new(name("by"), members, &Config::lan(), Time::ZERO);
        member.suspicion = Some(Box::new(suspicion));
    }
    merged
}

/// Any statement about one of a few members, with all that can differ.
fn any_statement(names: &'static str) -> impl Strategy<Value = Statement> {
    let addr = prop::sample::select(vec!["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"]);
    let tags = prop::sample::select(vec![vec![], vec![("a", "1")], vec![("a", "2")]]);
    let status = prop::sample::select(STATUSES.to_vec());
    (names, 1u64..4, 0u32..4, status, addr, tags).prop_map(
        |(of, instance, incarnation, status, addr, tags)| {
            let mut statement = statement(&of, instance, incarnation, status);
            let record = Arc::make_mut(&mut statement.record);
            record.addr = addr.parse().expect("a valid address");
            record.tags = Tags::new(tags).expect("valid tags");
            statement
        },
    )
}
