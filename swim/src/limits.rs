//! Every maximum of the protocol, in one place.
//!
//! Reaching one is counted in [`Stats`](crate::Stats) and never a panic.

use std::time::Duration;

/// Longest name of a member or a cluster, in bytes of UTF-8.
pub const NAME_BYTES: usize = 128;

/// All keys and values of one member's tags together, in bytes.
pub const TAGS_BYTES: usize = 1024;

/// Tags of one member.
pub const TAGS: usize = 64;

/// Longest tag key, in bytes of UTF-8.
pub const TAG_KEY_BYTES: usize = 128;

/// So many observers whom the host told that the process is gone end a suspicion (DESIGN 4.1: never
/// a single one).
pub const REFUSED: usize = 2;

/// Apps of one member: those that run, and the last that ended.
pub const APPS: usize = 8;

/// All apps of one member in a message, in bytes.
pub const APPS_BYTES: usize = 512;

/// Longest note of an app to its health, in bytes of UTF-8.
pub const APP_NOTE_BYTES: usize = 128;

/// Largest datagram on the wire. Below the smallest IPv6 MTU (1280) less IP and UDP headers.
pub const DATAGRAM_BYTES: usize = 1200;

/// What sealing a datagram adds: a 24-byte nonce, a 16-byte tag and a key number. Left free in
/// plain ones too, so that whatever fits without a key fits with one.
pub const SEAL_BYTES: usize = 41;

/// What a datagram may hold before it is sealed.
pub const PLAIN_DATAGRAM_BYTES: usize = DATAGRAM_BYTES - SEAL_BYTES;

/// Longest header and message of a datagram that tells of members: version, cluster, a name, what
/// is known of the views, message with an IPv6 address.
pub const DATAGRAM_HEAD_BYTES: usize = 224;

/// The longest update that fits into any datagram. A longer record travels by stream only.
pub const UPDATE_BYTES: usize = PLAIN_DATAGRAM_BYTES - DATAGRAM_HEAD_BYTES;

/// A signature of a voter, with its public key.
pub const SIGNATURE_BYTES: usize = 96;

/// What says which letter of a voter it is, at most.
pub const POSTMARK_BYTES: usize = 21;

/// Largest letter of the consensus that goes by datagram; a longer one goes by stream.
pub const DATAGRAM_LETTER_BYTES: usize = UPDATE_BYTES - POSTMARK_BYTES - SIGNATURE_BYTES;

/// Largest cut that is pushed by datagram; a longer one is announced and pulled.
pub const DATAGRAM_CUT_BYTES: usize = UPDATE_BYTES - SIGNATURE_BYTES;

/// Most updates decoded from one datagram: as many as fit, the smallest has 8 bytes.
pub const DATAGRAM_UPDATES: usize = DATAGRAM_BYTES / 8;

/// Largest body of a stream frame that carries members.
pub const FRAME_STATE_BYTES: usize = 64 * 1024;

/// A state frame is closed once it has this many bytes: one more entry always fits.
pub const FRAME_STATE_FILL: usize = FRAME_STATE_BYTES - 4 * 1024;

/// Largest body of a pull frame: a record and the bucket digests.
pub const FRAME_PULL_BYTES: usize = 8 * 1024;

/// Largest body of any other stream frame.
pub const FRAME_SMALL_BYTES: usize = 1024;

/// Links that others may have to one member: its predecessors, voters, and those that will hear
/// soon that they are neither.
pub const LINKS: usize = 64;

/// Buddies of which it is kept what came of datagrams: two on each ring, and as many that were.
pub const CONTACTS: usize = 4 * RINGS;

/// Members in the table, lost and departed ones included.
pub const MEMBERS: usize = 65_536;

/// Of them, those at one IP address, this node not counted: whole clusters run behind one address,
/// and none of them is to fill the table with names.
pub const MEMBERS_AT_ADDRESS: usize = MEMBERS / 16;

/// The last instance there may be: what a JSON number holds exactly, microseconds until the year
/// 2255. A member whose clock shows more does not start.
pub const INSTANCES: u64 = 1 << 53;

/// Versions of one life that nobody here has heard of: two years of one a second. A word that is
/// further ahead is no member's own.
pub const INCARNATIONS_AHEAD: u32 = 1 << 26;

/// Views by which a member of the same history can be ahead: a hundred years of one a second.
pub const VIEWS_AHEAD: u64 = 1 << 32;

/// Pushes in a second that do not wait for the beat of gossip, as changes of apps ask for.
pub const HURRIED_PUSHES: u32 = 16;

/// What is believed of others is pushed so often in half a minute where a verdict is to be
/// expected; more than that rides along.
pub const PUSHED_BELIEFS: u32 = 6;

/// Buckets into which the table is divided for a pull. A power of two.
pub const DIGEST_BUCKETS: usize = 256;

/// What one address may ask for on streams, to join, to pull, to catch up: so many at once, and so
/// many in each second after that. A whole cluster may join from behind one address.
pub const REQUESTS: (u32, u32) = (4096, 256);

/// How often one member may pull: at once, and in a second. It does so eight times a period at
/// most, of all others together.
pub const PULLS: (u32, u32) = (256, 32);

/// Questions of one member to the coordinator, asked for its clients: at once, and in a second.
pub const CALLS: (u32, u32) = (2048, 1024);

/// How often one address is asked for views that it shows: at once, and in a second.
pub const SHOWN_VIEWS: (u32, u32) = (64, 8);

/// Of so many it is remembered that they asked lately. One more, and the one that asked least is
/// forgotten.
pub const SHARES: usize = 4096;

/// Keys in one ring.
pub const KEYS: usize = 8;

/// Highest generation of a ring, out of reach for any cluster.
pub const KEY_CHANGES: u64 = 1 << 53;

/// A ring that is so many changes ahead of ours comes from no cluster of ours, and is refused.
pub const KEY_CHANGES_AHEAD: u64 = 1 << 20;

/// Senders of which it is remembered which of their datagrams were heard.
pub const SENDERS: usize = 2 * MEMBERS;

/// Streams from others that have not yet shown anything that only a member could say. One more, and
/// the oldest is closed: whoever means it shows that within a round trip.
pub const STRANGERS: usize = 512;

/// How long such a stream may take.
pub const STRANGER: Duration = Duration::from_secs(3);

/// How long a member may take to say which keys it has.
pub const KEY_PATIENCE: Duration = Duration::from_secs(3);

/// Members that are told of a change of keys at one time.
pub const KEY_STREAMS: usize = 32;

/// Open streams, incoming and outgoing together.
pub const STREAMS: usize = 1024;

/// Probe rounds at one time.
pub const PROBES: usize = 256;

/// Indirect probes run for others at one time.
pub const RELAYS: usize = 1024;

/// Datagrams queued between two drains.
pub const TRANSMITS: usize = 4096;

/// Seeds that one member keeps.
pub const SEEDS: usize = 64;

/// Longest seed, `host:port`.
pub const SEED_BYTES: usize = 300;

/// Addresses used of one resolved seed.
pub const SEED_ADDRESSES: usize = 64;

/// Rings a cluster may be configured with.
pub const RINGS: usize = 8;

/// Highest local health score (Lifeguard section IV-A: S = 8).
pub const HEALTH: u8 = 8;

/// How long a stream may take, by progress: after this long without a byte it is closed.
pub const STREAM_IDLE: Duration = Duration::from_secs(10);

/// How long a departed member is remembered, so that old gossip does not bring it back.
pub const TOMBSTONE: Duration = Duration::from_secs(24 * 3600);

/// Voters of one cluster at most.
pub const VOTERS: usize = 7;

/// Lives that were removed and are remembered in the roster.
pub const REMOVALS: usize = 1024;

/// Highest view and epoch: what a JSON number holds exactly, and out of reach for any cluster. A
/// roster beyond is refused, so that counting on never ends.
pub const VIEWS: u64 = 1 << 53;

/// Highest number of a configuration of voters, and of a generation, in a roster.
pub const CONFIGURATIONS: u32 = 1 << 31;

/// Members of which it is remembered that they showed a view that they did not have.
pub const DOUBTED: usize = 16;

/// Changes in one cut.
pub const CUT_CHANGES: usize = 1024;

/// Encoded bytes of one cut, at most: a coordinator with more to say says it in several.
pub const CUT_BYTES: usize = 48 * 1024;

/// Cuts that every member keeps for those behind.
pub const CUTS: usize = 256;

/// Encoded bytes of the cuts that every member keeps.
pub const CUTS_BYTES: usize = 256 * 1024;

/// Files of cases that every member keeps.
pub const FILES: usize = 128;

/// Testimonies that are kept in the file of a case.
pub const TESTIMONIES: usize = 24;

/// Cases that a coordinator works on at one time.
pub const CASES: usize = 4096;

/// Cuts in one configuration of voters: then the same voters begin a new log.
pub const LOG_CUTS: usize = 512;

/// Encoded bytes of the cuts in one configuration of voters: then they begin a new log, too.
pub const LOG_BYTES: usize = 256 * 1024;

/// Largest body of a stream frame that carries cuts.
pub const FRAME_CUTS_BYTES: usize = CUTS_BYTES + CUT_BYTES + CUTS * SIGNATURE_BYTES + 1024;

/// Members, or removed lives, in one frame of a roster: with the longest names, and the head, it
/// keeps [`FRAME_STATE_BYTES`].
pub const ROSTER_PART: usize = FRAME_STATE_FILL / (NAME_BYTES + 32);

/// Largest letter of the consensus: a whole log, as a rule far less. Beyond [`LOG_BYTES`] a log
/// has the cut that went beyond, one that is under way, and one for each coordinator that took
/// office and fell before it could end the configuration.
pub const LETTER_BYTES: usize = 2 * LOG_BYTES;

/// Largest body of a stream frame that carries a letter.
pub const FRAME_LETTER_BYTES: usize = LETTER_BYTES + 1024;

/// Letters of one voter that arrive by streams at one time: with those of all others they hold
/// 12 MiB. No other stream holds more than a frame of members.
pub const LETTERS_OF_ONE: usize = 4;

/// Reports under way at one time; what comes beyond is reported when its next round fails.
pub const REPORTS: usize = 1024;

/// Questions to the coordinator that wait for an answer.
pub const QUESTIONS: usize = 1024;

/// Unit of the age of the last sign of a quorum on a datagram.
pub const QUORUM_AGE_STEP: Duration = Duration::from_millis(250);

/// Witnesses that are asked about one case, voters that are asked besides not counted.
pub const WITNESSES: usize = 16;

/// Observers whose word about one case is kept: witnesses, voters and accusers.
pub const OBSERVERS: usize = 40;

/// Cases that one observer can have opened with nobody else's word. A member has six buddies and
/// a random probe.
pub const CASES_ON_ONE_WORD: usize = 8;

/// Observers of which it is remembered that they were refuted lately.
pub const REFUTED: usize = 1024;

/// Removed members that wait at one time to be members again.
pub const CANDIDATES: usize = 1024;

/// Witnesses that look at a candidate at one time.
pub const CANDIDATE_WITNESSES: usize = 4;
