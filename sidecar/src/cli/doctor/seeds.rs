//! The seeds: whether each name resolves, to what, how soon, and how the agent fared with it.

use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::finding::Finding;

/// Resolvers give up after ten seconds or more.
const PATIENCE: Duration = Duration::from_secs(5);

/// A resolver that takes longer delays every join.
const SLOW: Duration = Duration::from_secs(1);

/// Addresses that are shown.
const SHOWN: usize = 4;

/// A seed, and what the agent says of it.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    pub(super) name: String,
    pub(super) joined: bool,
    pub(super) last_error: Option<String>,
}

/// What became of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The addresses, or why there are none.
    pub(super) outcome: Result<Vec<SocketAddr>, String>,
    pub(super) took: Duration,
}

/// Looks up all seeds at once; `own` is where this member listens.
pub(super) fn look(seeds: &[Seed], own: Option<SocketAddr>) -> Vec<Finding> {
    if seeds.is_empty() {
        let found = "none given: this member waits for others to join it";
        return vec![Finding::ok("seeds", found)];
    }
    let (sender, receiver) = mpsc::channel();
    for (number, seed) in seeds.iter().enumerate() {
        let (sender, name) = (sender.clone(), seed.name.clone());
        thread::spawn(move || {
            let began = Instant::now();
            let found = name.to_socket_addrs().map(Iterator::collect);
            let resolved = Resolved {
                outcome: found.map_err(|error| error.to_string()),
                took: began.elapsed(),
            };
            // Nobody waits any more when this took too long.
            let _ = sender.send((number, resolved));
        });
    }
    let mut answers = vec![None; seeds.len()];
    let until = Instant::now() + PATIENCE;
    while answers.iter().any(Option::is_none) {
        let left = until.saturating_duration_since(Instant::now());
        let Ok((number, resolved)) = receiver.recv_timeout(left) else {
            break;
        };
        answers[number] = Some(resolved);
    }
    let is_own = |addr: &SocketAddr| own.is_some_and(|own| is_ours(*addr, own));
    judge_all(seeds, &answers, is_own)
}

/// That one seed is this member itself is usual: all have the same list. That all are is not.
fn judge_all(
    seeds: &[Seed],
    answers: &[Option<Resolved>],
    is_own: impl Fn(&SocketAddr) -> bool,
) -> Vec<Finding> {
    let is_alone = |resolved: &Option<Resolved>| {
        let addresses = resolved
            .as_ref()
            .and_then(|known| known.outcome.as_ref().ok());
        addresses.is_some_and(|known| !known.is_empty() && known.iter().all(&is_own))
    };
    let judge = |(seed, resolved)| judge(seed, Option::as_ref(resolved), is_alone(resolved));
    let mut findings: Vec<Finding> = seeds.iter().zip(answers).map(judge).collect();
    if answers.iter().all(is_alone) {
        findings.push(Finding::warn(
            "seeds",
            "all of them are this member itself",
            "name other members too (--join), or a DNS name that stands for several",
        ));
    }
    findings
}

/// Whether an address leads back to this member.
fn is_ours(addr: SocketAddr, own: SocketAddr) -> bool {
    let of_host = || UdpSocket::bind((addr.ip(), 0)).is_ok();
    addr == own || addr.port() == own.port() && of_host()
}

fn judge(seed: &Seed, resolved: Option<&Resolved>, is_alone: bool) -> Finding {
    let name = &seed.name;
    let resolver = "see /etc/resolv.conf, /etc/hosts and the name server; correct the seed (--join) \
                    when it is mistyped";
    let Some(Resolved { outcome, took }) = resolved else {
        let found = format!("{name}: no answer of the resolver within {PATIENCE:?}");
        return Finding::fail("seeds", found, resolver);
    };
    let addresses = match outcome {
        Ok(addresses) if !addresses.is_empty() => addresses,
        Ok(_) => {
            let found = format!("{name} resolves to no address");
            return Finding::fail("seeds", found, resolver);
        }
        Err(error) => {
            let found = format!("{name} does not resolve: {error}");
            return Finding::fail("seeds", found, resolver);
        }
    };
    let shown: Vec<String> = addresses
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    let more = match addresses.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let found = format!(
        "{name} is {}{more}, found in {} ms",
        shown.join(", "),
        took.as_millis()
    );
    if is_alone {
        return Finding::ok("seeds", format!("{found}: this member itself"));
    }
    if let (false, Some(error)) = (seed.joined, &seed.last_error) {
        return Finding::warn(
            "seeds",
            format!("{found}; at the last try: {error}"),
            "see whether an agent of this cluster runs there and both UDP and TCP pass to it; it is \
             tried again for ever",
        );
    }
    if *took > SLOW {
        let advice = "a slow resolver delays every join: see the name servers in /etc/resolv.conf";
        return Finding::warn("seeds", found, advice);
    }
    Finding::ok("seeds", found)
}

#[cfg(test)]
mod tests;
