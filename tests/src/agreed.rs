//! Questions to all sidecars at once about what is agreed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::Cluster;
use crate::host::Host;
use crate::log::Mark;
use crate::view::{Agreed, CoordinatorView};

impl Cluster {
    /// Waits until all running sidecars agree that just these are the members.
    pub fn wait_all_agree(&self) -> Agreed {
        let mut agreed = None;
        self.wait(Duration::from_secs(120), "all agree", |cluster| {
            agreed = Some(cluster.all_agree()?);
            Ok(())
        });
        agreed.expect("the wait ended with a view")
    }

    /// What all running sidecars agree on: they are the members, in one view of one term, and one
    /// of them decides.
    ///
    /// # Errors
    /// Who sees it otherwise.
    pub fn all_agree(&self) -> Result<Agreed, String> {
        let agreed = self.same_view()?;
        let mut names: Vec<&String> = agreed.up.keys().collect();
        let mut running: Vec<String> = Vec::new();
        for host in self.running() {
            let status = host.status()?;
            running.push(status["name"].as_str().unwrap_or_default().to_owned());
        }
        names.sort();
        running.sort();
        if !names.iter().copied().eq(&running) {
            return Err(format!("members are {names:?}, and {running:?} run"));
        }
        let coordinator = self.same_coordinator()?;
        if coordinator.epoch != agreed.epoch {
            return Err(format!("{coordinator:?} of {agreed:?}"));
        }
        Ok(agreed)
    }

    /// The view that all running sidecars have: the same number, term and members with the same
    /// lives.
    ///
    /// # Errors
    /// Two that differ.
    pub fn same_view(&self) -> Result<Agreed, String> {
        self.same("view", |host| host.view().map(|view| view.agreed()))
    }

    /// Whom all running sidecars name as the coordinator.
    ///
    /// # Errors
    /// One knows none, or two differ.
    pub fn same_coordinator(&self) -> Result<CoordinatorView, String> {
        self.same("coordinator", |host| {
            let coordinator = host.coordinator()?;
            Ok(CoordinatorView {
                is_self: false,
                ..coordinator
            })
        })
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &self,
        what: &str,
        ask: impl Fn(&Host) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut first: Option<(&Host, T)> = None;
        for host in self.running() {
            let answer = ask(host).map_err(|error| format!("{}: {error}", host.name()))?;
            match &first {
                None => first = Some((host, answer)),
                Some((_, expected)) if *expected == answer => {}
                Some((other, expected)) => {
                    return Err(format!(
                        "{what}: {} has {expected:?}, {} has {answer:?}",
                        other.name(),
                        host.name()
                    ));
                }
            }
        }
        first
            .map(|(_, answer)| answer)
            .ok_or("nobody runs".to_owned())
    }

    /// Whether each running sidecar, these excepted, has this verdict on these.
    ///
    /// # Errors
    /// Who has another one.
    pub fn others_agree(&self, numbers: &[usize], verdict: &str) -> Result<(), String> {
        for host in self.others(numbers) {
            let view = host.view()?;
            for &number in numbers {
                let name = self.host(number).name();
                let found = view.verdict(name);
                if found != verdict {
                    let state = view.state(name);
                    return Err(format!(
                        "{} has the verdict {found} on {name} ({state}), expected is {verdict}; all \
                         it sees: {view}",
                        host.name()
                    ));
                }
            }
        }
        Ok(())
    }

    /// The running hosts without these.
    pub fn others(&self, numbers: &[usize]) -> impl Iterator<Item = &Host> {
        let names: Vec<&str> = numbers
            .iter()
            .map(|&number| self.host(number).name())
            .collect();
        self.running()
            .filter(move |host| !names.contains(&host.name()))
    }

    /// The histories that the running sidecars are in: one, when all is well.
    pub fn lineages(&self) -> BTreeSet<String> {
        let lineage = |host: &Host| {
            let status = host.status().expect("a running sidecar answers");
            assert!(
                status["conflict"].is_null(),
                "{} met another history",
                host.name()
            );
            status["lineage"].to_string()
        };
        self.running().map(lineage).collect()
    }

    /// Panics unless all logs, from the first line on, tell of one history: in one epoch one
    /// coordinator, in one view one verdict on one life.
    pub fn one_history(&self) {
        let mut deciders: BTreeMap<u64, (String, u64)> = BTreeMap::new();
        let mut verdicts: BTreeMap<(u64, String, u64), String> = BTreeMap::new();
        for line in self
            .hosts()
            .iter()
            .flat_map(|host| host.events(Mark::default()))
        {
            let field = |name: &str| line.number(name).unwrap_or_default();
            let (view, epoch, instance) = (field("view"), field("epoch"), field("instance"));
            let member = line.member.clone();
            let is_one = match &*line.kind {
                "coordinator-changed" => {
                    let who = (member, instance);
                    *deciders.entry(epoch).or_insert_with(|| who.clone()) == who
                }
                "member-up" | "member-dead" | "member-left" => {
                    let key = (view, member, instance);
                    *verdicts.entry(key).or_insert_with(|| line.kind.clone()) == line.kind
                }
                _ => true,
            };
            if !is_one {
                self.fail(&format!(
                    "another sidecar tells it otherwise: {}",
                    line.text
                ));
            }
        }
        assert!(
            !deciders.is_empty() && !verdicts.is_empty(),
            "the logs tell of decisions"
        );
    }

    /// The number of the host whose sidecar decides, as all say.
    pub fn coordinator(&self) -> usize {
        let mut found = None;
        self.wait(
            Duration::from_secs(60),
            "all name one coordinator",
            |cluster| {
                found = Some(cluster.same_coordinator()?);
                Ok(())
            },
        );
        number_of(&found.expect("the wait ended with a name").name)
    }

    /// The numbers of the hosts that vote, as one of them says.
    ///
    /// # Errors
    /// It does not answer.
    pub fn voters(&self, asked: usize) -> Result<Vec<usize>, String> {
        let status = self.host(asked).status()?;
        let voters = status["voters"].as_array().ok_or("status has no voters")?;
        Ok(voters
            .iter()
            .filter_map(|name| name.as_str())
            .map(number_of)
            .collect())
    }

    /// Waits until that many vote and all agree; gives their numbers.
    pub fn wait_voters(&self, count: usize) -> Vec<usize> {
        let mut voters = Vec::new();
        self.wait(
            Duration::from_secs(60),
            &format!("{count} vote"),
            |cluster| {
                cluster.all_agree()?;
                for &number in &cluster.running_numbers() {
                    voters = cluster.voters(number)?;
                    if voters.len() != count {
                        return Err(format!("n{number} says that {voters:?} vote"));
                    }
                }
                Ok(())
            },
        );
        voters
    }
}

/// `7` for `n7`.
fn number_of(name: &str) -> usize {
    let number = name
        .strip_prefix('n')
        .and_then(|digits| digits.parse().ok());
    number.unwrap_or_else(|| panic!("{name:?} is no host of the harness"))
}
