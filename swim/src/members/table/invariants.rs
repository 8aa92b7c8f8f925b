//! What always holds of the table.

use super::{Digest, Kind, ME, MemberId, Status, Table, digest, kind, limits, named};

impl Table {
    /// Whether index, lists, rings and digest say the same. Slow: for the simulator and tests.
    pub(crate) fn check_invariants(&self) {
        let mut digest = Digest::new();
        let (mut present, mut lost) = (0, 0);
        let mut addresses = self.addresses.clone();
        for (id, slot) in self.slots.iter().enumerate() {
            let Some(member) = slot else {
                assert!(self.free.contains(&(id as u32)), "an empty slot is free");
                continue;
            };
            let name = &member.statement.record.name;
            let status = member.statement.status;
            assert_eq!(
                self.id(name.as_str()),
                Some(MemberId(id as u32)),
                "the index names {name}"
            );
            let bucket = digest::bucket(name, limits::DIGEST_BUCKETS);
            assert_eq!(member.bucket(limits::DIGEST_BUCKETS), bucket, "{name}");
            digest.toggle(&member.statement);
            let suspected = member.suspicion.is_some();
            let matches = match status {
                Status::Alive | Status::Left => !suspected,
                Status::Suspect => suspected,
                Status::Unreachable => true,
            };
            assert!(matches, "{name} has a suspicion while it is suspect");
            if let Some(suspicion) = &member.suspicion {
                suspicion.check_invariants();
            }
            member.round_trip.check_invariants();
            if id as u32 == ME {
                assert_eq!(*name, self.me, "this node stands first");
                continue;
            }
            addresses.remove(member.statement.record.addr.ip());
            let list = match kind(status) {
                Kind::Present => &self.present,
                Kind::Lost => &self.lost,
                Kind::Departed => continue,
            };
            assert_eq!(
                list.at(usize::from(member.place)),
                id as u32,
                "{name} is in its list"
            );
            present += usize::from(kind(status) == Kind::Present);
            lost += usize::from(kind(status) == Kind::Lost);
        }
        assert_eq!((present, lost), (self.present.len(), self.lost.len()));
        assert!(addresses.is_empty(), "each address is counted once");
        assert_eq!(
            digest.total(),
            self.digest.total(),
            "the digest is that of the members"
        );
        assert_eq!(
            digest.fold(16),
            self.digest.fold(16),
            "and so are its buckets"
        );
        let others = self.present.iter().map(|id| named(&self.slots, id));
        self.rings.check_invariants(others);
        assert!(self.index.len() <= limits::MEMBERS);
    }
}
