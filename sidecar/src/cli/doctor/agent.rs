//! What the agent says of itself: whether it takes part, runs in time, and what it had to drop.

use muster_swim::{SeedError, limits};

use super::finding::Finding;
use crate::api::model::{Dropped, Status};
use crate::cli::client::ClientError;

/// From this score on it hardly trusts itself.
const STARVED: u8 = 4;

/// The agent that was asked.
pub(super) fn answers(status: &Status, socket: &str) -> Finding {
    let found = format!(
        "{} at {} in cluster {} answers at {socket} (muster {}, pid {})",
        status.name, status.addr, status.cluster, status.version, status.pid
    );
    if status.version == env!("CARGO_PKG_VERSION") {
        return Finding::ok("agent", found);
    }
    Finding::warn(
        "agent",
        format!("{found}, and this is muster {}", env!("CARGO_PKG_VERSION")),
        "use the `muster` of the agent's version, or restart the agent with this one",
    )
}

/// Nobody answers.
pub(super) fn silent(error: &ClientError) -> Finding {
    let text = error.to_string();
    // Where it looked, without what it advises.
    let lines: Vec<&str> = text.lines().collect();
    let (ClientError::NoAgent(_), [what, places @ .., _]) = (error, &lines[..]) else {
        let advice = "see its log; end it with TERM and start it again when it stays so";
        return Finding::fail("agent", text.replace('\n', " "), advice);
    };
    let places: Vec<&str> = places.iter().map(|place| place.trim()).collect();
    Finding::fail(
        "agent",
        format!("{what} {}", places.join("; ")),
        "start one with `muster agent`, or name its socket with --socket; what needs an agent is \
         not checked",
    )
}

/// Whether it takes part in decisions.
pub(super) fn cluster(status: &Status) -> Finding {
    let known: u64 = status.members.values().sum();
    let alive = status.members.get("alive").copied().unwrap_or_default();
    let found = format!(
        "{}, quorum {}, {alive} of {known} known members alive",
        status.lifecycle, status.quorum
    );
    if let Some(conflict) = &status.conflict {
        return Finding::fail(
            "cluster",
            format!("{found}; a cluster of the same name and another history ({conflict}) was met"),
            "one of the two must go: stop its members, move their data directories away, and have \
             them join the other",
        );
    }
    match &*status.quorum {
        "held" => Finding::ok("cluster", found),
        "lost" => Finding::fail(
            "cluster",
            found,
            "start the missing voters again (`muster status` names the voters); when a majority of \
             them is gone for good see `muster recover --help`",
        ),
        _ => Finding::warn(
            "cluster",
            found,
            "nothing is agreed yet: look at the seeds below, and whether `expect` members run",
        ),
    }
}

/// Whether its own timers run in time.
pub(super) fn timers(status: &Status) -> Finding {
    let found = format!(
        "health {} of {}, ran late {} times since its start",
        status.health,
        limits::HEALTH,
        status.stats.late
    );
    let advice = "give the agent more processor time (nice, cgroup limits, fewer neighbours on the \
                  host) and look for a lossy network: it trusts its own findings less until then";
    match status.health {
        0 => Finding::ok("timers", found),
        1..STARVED => Finding::warn("timers", found, advice),
        _ => Finding::fail("timers", found, advice),
    }
}

/// What was dropped because it came from somebody who does not belong here.
pub(super) fn drops(status: &Status) -> Vec<Finding> {
    let Dropped {
        malformed,
        version,
        cluster,
        unsealed,
        key,
        forged,
        ..
    } = status.stats.dropped;
    let other = SeedError::OtherCluster.to_string();
    let seeds = status.seeds.iter();
    let strangers: Vec<&str> = seeds
        .filter(|seed| !seed.joined && seed.last_error.as_ref() == Some(&other))
        .map(|seed| seed.seed.as_str())
        .collect();
    let name = format!("cluster {:?}", status.cluster);
    let names = "give all members the same --cluster, or the other cluster another port or seeds";
    let names = match (&strangers[..], cluster) {
        ([], 0) => Finding::ok("name", format!("{name}: nothing came from another cluster")),
        ([], count) => {
            let found = format!("{name}: {count} messages of another cluster were refused");
            Finding::warn("name", found, names)
        }
        (seeds, _) => {
            let found = format!("{name}: another cluster answers at {}", seeds.join(", "));
            Finding::fail("name", found, names)
        }
    };
    let counted = |check, count, what: &str, advice: &str| match count {
        0 => Finding::ok(check, format!("no {what}")),
        count => Finding::warn(check, format!("{count} {what} dropped"), advice),
    };
    let sealed = counted(
        "key",
        key + unsealed + forged,
        "messages that do not open with the keys of this member",
        "compare the keys of all members (`muster keys list FILE`), and whether all have a \
         --key-file; what has their key and does not open is damaged, forged, for another member or \
         of another cluster",
    );
    vec![
        names,
        counted(
            "version",
            version,
            "messages of another protocol version",
            "bring all members to versions that are next to each other; `muster status` on each \
             tells its version",
        ),
        counted(
            "strangers",
            malformed,
            "messages that are none of Muster's",
            "something else sends to this port: give one of the two another port (--bind)",
        ),
        sealed,
    ]
}

#[cfg(test)]
mod tests;
