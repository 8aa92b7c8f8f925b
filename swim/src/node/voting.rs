//! This node as a voter: its part in the consensus, and what it saves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::agreement::{Memory, NewError, SaveTicket, Write};
use super::outputs::Action;
use super::streams::Purpose;
use super::{Lifecycle, Node, Timer};
use crate::coordinator::{
    Consensus, ConsensusSettings, Cut, History, Lineage, Output, Postmark, Removal, Roster,
    RosterHead, Said, Signature, Standing, View, Voter, VoterId, VoterNumber,
};
use crate::limits;
use crate::members::{Name, NameHash};
use crate::time::Time;
use crate::wire::{DropReason, Errand, Frame, LineageTag, Message, is_reachable};

/// This node's part in one configuration of voters.
#[derive(Debug)]
pub(super) struct Voting {
    pub(super) configuration: u32,
    /// The view before the first cut of this configuration.
    base: View,
    /// Committed cuts of this configuration that were taken.
    taken: u64,
    /// Their encoded bytes.
    bytes: usize,
    pub(super) voters: Vec<Voter>,
    pub(super) consensus: Consensus,
}

/// What is saved, and what waits for the disk.
#[derive(Debug)]
pub(super) struct Saves {
    durable: bool,
    pub(super) failed: bool,
    last: u64,
    /// All keys that are stored.
    keys: BTreeSet<Vec<u8>>,
    /// Where the other voters were, as it is stored.
    addresses: Vec<(Name, SocketAddr)>,
    /// Which save of which configuration's consensus waits.
    waiting: BTreeMap<SaveTicket, (u32, u64)>,
}

impl Saves {
    pub(super) fn new(memory: &Memory) -> Saves {
        Saves {
            durable: memory.durable,
            failed: false,
            last: 0,
            keys: memory.stored.iter().map(|(key, _)| key.clone()).collect(),
            addresses: Vec::new(),
            waiting: BTreeMap::new(),
        }
    }
}

impl Voting {
    /// This node's number of a voter, from the place in the configuration.
    pub(super) fn number_of(&self, name: &str) -> Option<VoterNumber> {
        let at = self
            .voters
            .iter()
            .position(|voter| voter.name.as_str() == name)?;
        Some(VoterNumber::at(at))
    }

    /// A voter by its number.
    pub(super) fn voter(&self, number: VoterNumber) -> Option<&Voter> {
        self.voters.get(number.place())
    }

    /// Whether every committed cut was taken and none of this node's own is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.consensus.is_idle() && self.consensus.committed() == self.taken
    }

    /// The view to which the committed cuts led that were taken, from the base on.
    pub(super) fn reached(&self) -> View {
        View(self.base.0.saturating_add(self.taken))
    }

    /// Whether this configuration has committed so much that a new log is due.
    pub(super) fn is_long(&self) -> bool {
        self.taken >= limits::LOG_CUTS as u64 || self.bytes >= limits::LOG_BYTES
    }
}

impl Node {
    /// Takes up what was stored: the roster, and this node's part in its configuration.
    pub(super) fn remember(&mut self, memory: &Memory, now: Time) -> Result<(), NewError> {
        if memory.stored.is_empty() {
            return Ok(());
        }
        let damaged = |what| NewError::Stored { what };
        let stored: BTreeMap<&[u8], &[u8]> = memory
            .stored
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
            .collect();
        let roster = stored.get(ROSTER).ok_or(damaged("the roster is missing"))?;
        let roster = decode_roster(roster).ok_or(damaged("the roster"))?;
        if let Some(addresses) = stored.get(ADDRESSES) {
            let addresses = postcard::from_bytes(addresses);
            let addresses: Vec<(Name, SocketAddr)> =
                addresses.map_err(|_| damaged("the addresses of the voters"))?;
            let known = addresses.iter().map(|(_, addr)| *addr);
            self.try_remembered(known.filter(|addr| is_reachable(*addr)), now);
            self.agreed.saves.addresses = addresses;
        }
        let voters = roster.head.voters.clone();
        let me = Voter {
            name: self.me.name.clone(),
            id: memory.id(),
        };
        let (base, view) = (roster.head.base, roster.head.view);
        self.begin_history(roster);
        if !voters.voters.contains(&me) {
            return Ok(());
        }
        let log: Vec<(Vec<u8>, Vec<u8>)> = stored
            .iter()
            .filter_map(|(key, value)| {
                Some((key.strip_prefix(CONSENSUS)?.to_vec(), value.to_vec()))
            })
            .collect();
        let consensus = Consensus::new(&voters, &me, &log, true, self.consensus_settings(), now)
            .map_err(|_| damaged("the log of the voters"))?;
        debug_assert!(base <= view);
        // What it has to say leaves with the first call.
        self.timers.set(Timer::Voting, now);
        self.agreed.voting = Some(Voting {
            configuration: voters.configuration,
            base,
            taken: 0,
            bytes: 0,
            voters: voters.voters,
            consensus,
        });
        Ok(())
    }

    fn consensus_settings(&self) -> ConsensusSettings {
        ConsensusSettings {
            lease: self.config.lease,
            durable: self.agreed.saves.durable,
        }
    }

    /// The configuration may have changed: this node begins or ends its part in it.
    pub(super) fn reconfigure(&mut self, now: Time) {
        let Some(roster) = self.agreed.roster() else {
            return;
        };
        let (voters, base) = (roster.head.voters.clone(), roster.head.base);
        let running = self.agreed.voting.as_ref();
        if running.is_some_and(|voting| voting.configuration == voters.configuration) {
            return;
        }
        let led = running.is_some_and(|voting| voting.consensus.leads(now));
        let voted = running.is_some();
        // Who decided until now may vote no more: then the last by number leads.
        let office = roster
            .head
            .office
            .as_ref()
            .map(|office| &office.coordinator);
        let stays = voters
            .voters
            .iter()
            .any(|voter| Some(&voter.name) == office);
        let me = Voter {
            name: self.me.name.clone(),
            id: self.agreed.voter,
        };
        self.agreed.voting = None;
        self.timers.cancel(&Timer::Voting);
        if voted && self.lifecycle == Lifecycle::Leaving {
            self.hand_over(base);
        }
        let votes = voters.voters.contains(&me) && me.id != VoterId::NEVER;
        if !votes || self.agreed.saves.failed || !self.is_active() {
            self.agreed.office = None;
            return;
        }
        self.save_roster();
        let settings = self.consensus_settings();
        let Ok(mut consensus) = Consensus::new(&voters, &me, &[], false, settings, now) else {
            debug_assert!(false, "an empty log is never damaged");
            return;
        };
        if led || !stays && voters.voters.last() == Some(&me) {
            consensus.campaign(now);
        }
        if voters.voters.len() == 1 {
            // It gave this history up with its log, and came back to it: what was decided stands in
            // the roster.
            let view = self.agreed.view();
            consensus.skip(view.0.saturating_sub(base.0), now);
        }
        self.agreed.voting = Some(Voting {
            configuration: voters.configuration,
            base,
            taken: 0,
            bytes: 0,
            voters: voters.voters,
            consensus,
        });
        self.set_timer(Timer::Voting, now);
    }

    /// Who may vote remembers to which history it belongs before it does: those that never voted
    /// must not begin another one when they are started without the voters.
    pub(super) fn keep_history(&mut self) {
        if self.agreed.voting.is_none() && self.agreed.voter != VoterId::NEVER {
            self.save_roster();
        }
    }

    /// Saves the roster, from which a configuration begins, and drops the log of the one before.
    fn save_roster(&mut self) {
        if !self.agreed.saves.durable {
            return;
        }
        let Some(roster) = self.agreed.roster() else {
            return;
        };
        let value = Some(encode_roster(roster));
        let old = self.agreed.saves.keys.iter();
        let old = old.filter(|key| *key != ADDRESSES).cloned();
        let mut writes: Vec<Write> = old.map(|key| Write { key, value: None }).collect();
        let key = ROSTER.to_vec();
        writes.push(Write { key, value });
        self.save(writes, None);
    }

    fn save(&mut self, mut writes: Vec<Write>, consensus: Option<(u32, u64)>) {
        let addresses = self.voters_addresses();
        let saves = &mut self.agreed.saves;
        // They are worth no write of their own: something else is saved soon after they change.
        if saves.addresses != addresses {
            let value = postcard::to_allocvec(&addresses);
            writes.push(Write {
                key: ADDRESSES.to_vec(),
                value: Some(value.expect("addresses serialize into memory")),
            });
            saves.addresses = addresses;
        }
        saves.last += 1;
        let ticket = SaveTicket(saves.last);
        for write in &writes {
            if write.value.is_some() {
                saves.keys.insert(write.key.clone());
            } else {
                saves.keys.remove(&write.key);
            }
        }
        if let Some(waiting) = consensus {
            saves.waiting.insert(ticket, waiting);
        }
        self.actions.push_back(Action::Save { ticket, writes });
    }

    /// Where the other voters are, as far as it is known; where they were, if not.
    fn voters_addresses(&self) -> Vec<(Name, SocketAddr)> {
        let known = |name: Name| {
            let held = self.table.get(name.as_str());
            let held = held.map(|member| member.statement.record.addr);
            let stored = self.agreed.saves.addresses.iter();
            let stored = || stored.clone().find(|(of, _)| *of == name);
            let addr = held.or_else(|| stored().map(|(_, addr)| *addr))?;
            Some((name, addr))
        };
        self.other_voters().into_iter().filter_map(known).collect()
    }

    /// A save is on the disk, or failed; then this node never votes again in this life.
    pub fn handle_saved(&mut self, ticket: SaveTicket, done: bool, now: Time) {
        self.enter(now);
        let waiting = self.agreed.saves.waiting.remove(&ticket);
        if !done {
            self.agreed.saves.failed = true;
            self.agreed.office = None;
            // Others must know, to have it replaced.
            self.agreed.voter = VoterId::NEVER;
            self.vote_no_more(now);
            if let Some(voting) = &mut self.agreed.voting {
                voting.consensus.handle_save_failed();
            }
            return;
        }
        if let Some((configuration, saved)) = waiting
            && let Some(voting) = &mut self.agreed.voting
            && voting.configuration == configuration
        {
            voting.consensus.handle_saved(saved, now);
            self.agree(now);
        }
    }

    pub(super) fn on_voting_timeout(&mut self, now: Time) {
        if let Some(voting) = &mut self.agreed.voting {
            voting.consensus.handle_timeout(now);
        }
        self.agree(now);
    }

    /// A letter of the consensus arrived.
    pub(super) fn on_letter(
        &mut self,
        from: &str,
        tag: LineageTag,
        configuration: u32,
        (postmark, bytes, signature): (Postmark, &[u8], &Signature),
        now: Time,
    ) {
        let lineage = self.agreed.history.as_ref().map(History::lineage);
        let fits = tag == self.agreed.tag() && !self.agreed.saves.failed;
        let Some(voting) = self
            .agreed
            .voting
            .as_mut()
            .filter(|voting| fits && voting.configuration == configuration)
        else {
            return;
        };
        let Some(number) = voting.number_of(from) else {
            self.stats.dropped.unexpected += 1;
            return;
        };
        // Whoever has the key of the cluster can write letters, but not in the name of a voter; and
        // say again what was written, but not twice.
        let to = self.agreed.voter;
        let said = lineage.map(|of| Said::letter(of, configuration, to, postmark, bytes));
        let writer = voting.voter(number).map(|voter| voter.id);
        let is_theirs = writer == Some(signature.voter())
            && said.is_some_and(|said| self.agreed.rosters.holds(signature, said));
        if !is_theirs {
            return self.count_dropped(DropReason::Forged);
        }
        let life = postmark.instance.0.to_le_bytes();
        let current = self.table.get(from);
        let current = current.map(|member| member.statement.record.instance);
        let lives = (postmark.instance, current);
        let heard = &mut self.agreed.letters_heard[usize::from(postmark.by_stream)];
        let by = NameHash::from(signature.voter().0.to_le_bytes());
        if !heard.hear(by, life, lives, postmark.number) {
            return self.count_dropped(DropReason::Replayed);
        }
        if let Err(reason) = voting.consensus.handle_letter(number, bytes, now) {
            return self.count_dropped(reason);
        }
        self.agree(now);
    }

    /// Carries out what the consensus says, and does what a coordinator has to, until there is
    /// nothing left.
    pub(super) fn agree(&mut self, now: Time) {
        // Each round commits something or ends it.
        for _ in 0..ROUNDS {
            self.drain_consensus(now);
            if !self.govern(now) {
                break;
            }
        }
        self.tell_deciding(now);
        let Some(voting) = &self.agreed.voting else {
            self.timers.cancel(&Timer::Voting);
            return;
        };
        match voting.consensus.poll_timeout() {
            Some(at) => self.set_timer(Timer::Voting, at.max(now)),
            None => self.timers.cancel(&Timer::Voting),
        }
    }

    fn drain_consensus(&mut self, now: Time) {
        while let Some(voting) = &mut self.agreed.voting {
            let configuration = voting.configuration;
            let Some(output) = voting.consensus.poll_output() else {
                break;
            };
            match output {
                Output::Save { ticket, writes } => {
                    let mut writes = writes;
                    for write in &mut writes {
                        write.key = [CONSENSUS, &write.key].concat();
                    }
                    self.save(writes, Some((configuration, ticket)));
                }
                Output::Letter { to, bytes } => self.send_letter(to, configuration, bytes, now),
                Output::Committed(cut) => {
                    voting.taken += 1;
                    voting.bytes += postcard::to_allocvec(&cut).map_or(0, |bytes| bytes.len());
                    let view = voting.reached();
                    self.on_committed(view, cut, now);
                }
            }
        }
        let Some(voting) = &self.agreed.voting else {
            return;
        };
        if voting.consensus.leader(now).is_some() {
            self.on_quorum_heard(now, now);
        }
    }

    fn on_committed(&mut self, view: View, cut: Cut, now: Time) {
        // Of what was committed others may have told before.
        if view != self.agreed.view().next() {
            return;
        }
        let cut = Arc::new(cut);
        let bytes = self.agreed.rosters.encoding(&cut);
        if let Some(signature) = self.sign(|lineage| Said::cut(lineage, view, &bytes)) {
            self.apply(&(cut, signature), &bytes, now);
        }
    }

    /// Signs something of the present history, as the voter that this node is.
    pub(super) fn sign(&self, said: impl FnOnce(Lineage) -> Said) -> Option<Signature> {
        let lineage = self.agreed.history.as_ref()?.lineage();
        let key = self.agreed.key.as_ref()?;
        Some(self.agreed.rosters.sign(key, said(lineage)))
    }

    fn send_letter(&mut self, to: VoterNumber, configuration: u32, bytes: Vec<u8>, now: Time) {
        let voting = self.agreed.voting.as_ref();
        let Some(voter) = voting.and_then(|voting| voting.voter(to)) else {
            return;
        };
        let Some(member) = self.table.get(voter.name.as_str()) else {
            return;
        };
        let addr = member.statement.record.addr;
        let to = voter.id;
        let by_stream = bytes.len() > limits::DATAGRAM_LETTER_BYTES;
        let count = &mut self.agreed.letters[usize::from(by_stream)];
        *count += 1;
        let postmark = Postmark {
            instance: self.me.instance,
            number: *count,
            by_stream,
        };
        let said = |lineage| Said::letter(lineage, configuration, to, postmark, &bytes);
        let Some(signature) = self.sign(said) else {
            return;
        };
        if !by_stream {
            let to = (NameHash::of(voter.name.as_str()), addr);
            let errand = Errand::Letter {
                configuration,
                postmark,
                bytes,
                signature,
            };
            return self.send_plain(to, Message::Errand(errand));
        }
        let frame: Frame = Frame::Letter {
            cluster: self.cluster.clone(),
            from: self.me.name.clone(),
            tag: self.agreed.tag(),
            configuration,
            postmark,
            bytes,
            signature,
        };
        let frame = crate::wire::encode_frame(&frame);
        self.open_stream(addr, Purpose::Letter(frame), now);
    }

    /// Whether this node votes in the present configuration.
    pub(super) fn votes(&self) -> bool {
        self.agreed.voting.is_some() && !self.agreed.saves.failed
    }

    /// The voters of the present configuration but this node, if they are known.
    pub(super) fn other_voters(&self) -> Vec<Name> {
        let voters = self
            .agreed
            .roster()
            .map(|roster| roster.head.voters.voters.clone());
        let others = voters.unwrap_or_default().into_iter();
        others
            .map(|voter| voter.name)
            .filter(|name| *name != self.me.name)
            .collect()
    }

    /// Whether this node may still be needed to hand on its vote while it leaves.
    pub(super) fn leaves_as_voter(&self) -> bool {
        self.lifecycle == Lifecycle::Leaving
            && self.votes()
            && self.agreed.roster().is_some_and(|roster| {
                let mut members = roster.standings().iter();
                members.any(|standing| standing.name != self.me.name)
            })
    }
}

/// Rounds of carrying out and governing in one go: each ends with something committed or sent.
const ROUNDS: usize = 64;

/// The key of the stored roster.
const ROSTER: &[u8] = b"roster";

/// The key of the addresses of the other voters.
const ADDRESSES: &[u8] = b"addresses";

/// What the keys of the consensus begin with.
const CONSENSUS: &[u8] = b"log/";

pub(super) fn encode_roster(roster: &Roster) -> Vec<u8> {
    let removed: Vec<&Removal> = roster.removed().collect();
    postcard::to_allocvec(&(&roster.head, roster.standings(), removed))
        .expect("rosters serialize into memory")
}

fn decode_roster(bytes: &[u8]) -> Option<Roster> {
    let (head, standings, removed): (RosterHead, Vec<Standing>, Vec<Removal>) =
        postcard::from_bytes(bytes).ok()?;
    Roster::from_parts(head, standings, removed)
}
