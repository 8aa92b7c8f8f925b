//! Rebuilding a quorum whose majority is lost for good: by an operator, explicit and loud (DESIGN
//! 4.3).

use super::agreement::{Quorum, RecoverError};
use super::{Lifecycle, Node};
use crate::coordinator::{View, Voter, VoterId};
use crate::members::{Name, Status};
use crate::time::Time;

/// How far views and epochs jump: past all that the lost voters may have committed unheard. As many
/// times as the place among the members says, so that two that recover apart, each a part of the
/// cluster, never use the same.
const JUMP: u64 = 1000;

impl Node {
    /// Rebuilds a lost quorum: this node alone votes at first, in a new generation of the lineage.
    /// `survivors` are all members that answer, this one included. Views and epochs jump, so that
    /// none is ever used twice.
    pub fn recover(&mut self, survivors: &[Name], now: Time) -> Result<(), RecoverError> {
        self.enter(now);
        self.check_recovery(survivors, now)?;
        let Some(mut roster) = self.agreed.roster().cloned() else {
            return Err(RecoverError::NoHistory);
        };
        let members = roster.standings().iter();
        let place = members.filter(|member| member.name < self.me.name).count();
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        let jump = JUMP * (u64::from(place) + 1);
        let head = &mut roster.head;
        head.lineage = head.lineage.recovered(place);
        head.view = View(head.view.0.saturating_add(jump));
        head.base = head.view;
        head.voters.configuration = head.voters.configuration.saturating_add(1);
        head.voters.voters = vec![Voter {
            name: self.me.name.clone(),
            id: self.agreed.voter,
        }];
        if let Some(office) = &mut head.office {
            office.epoch.0 = office.epoch.0.saturating_add(jump);
            // Whoever held it: the next one takes office anew.
            office.instance.0 = 0;
        }
        // On the operator's word: a lone survivor has nobody who could bear witness with it.
        let standings = roster.standings().iter();
        let given_up = standings.map(|standing| &standing.name);
        let given_up = given_up.filter(|name| !survivors.contains(name));
        let given_up = given_up.filter(|name| **name != self.me.name);
        let given_up = given_up.cloned().collect();
        self.adopt(roster, now);
        self.agreed.given_up = given_up;
        self.agree(now);
        Ok(())
    }

    fn check_recovery(&self, survivors: &[Name], now: Time) -> Result<(), RecoverError> {
        match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => {}
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => {
                return Err(RecoverError::Stopped);
            }
        }
        let roster = self.agreed.roster().ok_or(RecoverError::NoHistory)?;
        if self.agreed.voter == VoterId::NEVER || self.agreed.saves.failed {
            return Err(RecoverError::NonVoting);
        }
        let voters = &roster.head.voters.voters;
        let votes = |voter: &&Voter| {
            let member = self.table.get(voter.name.as_str());
            member.is_some_and(|member| {
                let held = &member.statement;
                held.status == Status::Alive && held.record.voter == voter.id
            })
        };
        let alive = voters.iter().filter(votes).count();
        let voters = voters.len();
        if alive > voters / 2 || self.quorum(now) == Quorum::Held {
            return Err(RecoverError::QuorumHeld { alive, voters });
        }
        if let Some((name, view)) = self.agreed.catching.ahead(self.agreed.view()) {
            let name = name.to_owned();
            return Err(RecoverError::Behind { name, view });
        }
        let answers = |name: &str| {
            let member = self.table.get(name);
            member.is_some_and(|member| member.statement.status == Status::Alive)
        };
        if let Some(missing) = survivors.iter().find(|name| !answers(name.as_str())) {
            return Err(RecoverError::NoSuchSurvivor(missing.to_string()));
        }
        let unnamed = self
            .table
            .iter()
            .map(|member| &member.statement)
            .filter(|held| held.status == Status::Alive && !survivors.contains(&held.record.name))
            .map(|held| held.record.name.to_string())
            .min();
        unnamed.map_or(Ok(()), |name| Err(RecoverError::Unnamed(name)))
    }
}
