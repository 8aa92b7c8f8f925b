//! The bytes of a store in memory: to make a new one, and to read one that may be damaged.
//!
//! redb takes the parts of a file that have no checksum of their own as they are, and panics where
//! they make no sense. So a file is first read from a copy: what frames the trees is compared with
//! what is known of them and with the length of the file, and the copy is marked so that redb
//! verifies every checksum before it follows anything. A file that passes can be opened.
//!
//! redb keeps two bits for each page that a region may have, in memory and in the file, and would
//! make regions of 4 GiB. Its builder has no setting for that, but its file says how large they
//! are: so the first page of a new store is written here, and redb gets an empty store to open.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_swim::VoterKey;
use redb::{
    Builder, Database, ReadableTable, StorageBackend, TableDefinition, TableError, WriteTransaction,
};
use xxhash_rust::xxh3::xxh3_128;
use zeroize::Zeroizing;

/// Whose memory it is.
pub(super) const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("header");

/// What the core saved.
pub(super) const CORE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("core");

/// The format that is written. Raised when an older Muster would misread what a newer one wrote. Of
/// format 1 voters had no keys.
pub(super) const FORMAT: u64 = 2;

/// Largest file that is read: far above what the core keeps.
pub(super) const FILE_BYTES: u64 = 1 << 30;

/// What redb may hold in memory: few pages are read twice.
const CACHE_BYTES: usize = 256 << 10;

// redb's file format (its `docs/design.md`, "Super-header"), version 3.
const PAGE: usize = 4096;
const MAGIC: std::ops::Range<usize> = 0..9;
const GOD_BYTE: usize = 9;
const GEOMETRY: std::ops::Range<usize> = 10..24;
const PAGE_SIZE: usize = 12;
const REGION_HEAD: usize = 16;
const REGION_MOST: usize = 20;
const FULL_REGIONS: usize = 24;
const TRAILING_PAGES: usize = 28;
const SLOTS: [usize; 2] = [64, 192];
const SLOT_BYTES: usize = 128;
const SLOT_SUM: usize = 112;
const VERSION: u8 = 3;
const MAGIC_BYTES: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
const SECOND_SLOT: u8 = 1;
const RECOVERY_REQUIRED: u8 = 2;
const TWO_PHASE: u8 = 4;

/// A region of a store: what stands before its pages, which redb counts from how many it may have,
/// and how many that is.
#[derive(Clone, Copy)]
struct Region {
    head: u32,
    most: u32,
}

/// 64 MiB: far more than any value, and than most stores.
const REGION: Region = Region {
    head: 3,
    most: 16 * 1024,
};

/// Those of redb itself, in stores that earlier versions made.
const LARGE_REGION: Region = Region {
    head: 130,
    most: 1024 * 1024,
};

/// Pages of a new store, the first one and the head of its region aside.
const FIRST_PAGES: u32 = 28;

/// Whose memory it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: u64,
    pub(super) cluster: String,
    pub(super) member: String,
    pub(super) key: VoterKey,
}

/// All that a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) header: Header,
    /// In order of the keys.
    pub(super) rows: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A later Muster wrote it.
    Newer(u64),
    /// An earlier one did, and what it wrote is of no use any more.
    Older(u64),
    /// It is not as it was written.
    Damaged(String),
}

impl Unreadable {
    pub(super) fn damaged(what: impl ToString) -> Unreadable {
        Unreadable::Damaged(what.to_string())
    }
}

/// How every store is opened.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .create_with_file_format_v3(true)
        .set_cache_size(CACHE_BYTES);
    builder
}

/// Every change is committed in two phases: then what redb takes for the last commit was wholly
/// written, and it never falls back to the one before, which could have forgotten a vote.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// The bytes of a new store.
pub(super) fn fresh(header: &Header) -> Result<Vec<u8>, redb::Error> {
    let image = Image::of(empty());
    let database = builder().create_with_backend(image.clone())?;
    write_header(&database, header)?;
    drop(database);
    Ok(image.take())
}

/// Says whose memory it is.
pub(super) fn write_header(database: &Database, header: &Header) -> Result<(), redb::Error> {
    let transaction = begin(database)?;
    {
        let mut table = transaction.open_table(HEADER)?;
        table.insert("format", header.format.to_le_bytes().as_slice())?;
        table.insert("cluster", header.cluster.as_bytes())?;
        table.insert("member", header.member.as_bytes())?;
        table.insert("key", header.key.to_seed().as_slice())?;
        transaction.open_table(CORE)?;
    }
    Ok(transaction.commit()?)
}

/// The bytes of a store without tables, as if it had not been closed: redb counts its pages anew.
fn empty() -> Vec<u8> {
    let pages = 1 + REGION.head as usize + FIRST_PAGES as usize;
    let mut bytes = vec![0; pages * PAGE];
    bytes[MAGIC].copy_from_slice(MAGIC_BYTES);
    bytes[GOD_BYTE] = RECOVERY_REQUIRED | TWO_PHASE;
    bytes[GEOMETRY].copy_from_slice(&geometry(REGION));
    bytes[TRAILING_PAGES..][..4].copy_from_slice(&FIRST_PAGES.to_le_bytes());
    for slot in SLOTS {
        bytes[slot] = VERSION;
        let sum = xxh3_128(&bytes[slot..slot + SLOT_SUM]);
        bytes[slot + SLOT_SUM..slot + SLOT_BYTES].copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}

/// What stands in the first page about pages and regions.
fn geometry(region: Region) -> [u8; GEOMETRY.end - GEOMETRY.start] {
    let mut bytes = [0; GEOMETRY.end - GEOMETRY.start];
    for (at, number) in [
        (PAGE_SIZE, PAGE as u32),
        (REGION_HEAD, region.head),
        (REGION_MOST, region.most),
    ] {
        bytes[at - GEOMETRY.start..][..4].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// What a file of these bytes holds, if it is whole.
pub(super) fn read(mut bytes: Vec<u8>) -> Result<Contents, Unreadable> {
    check_frame(&bytes)?;
    let primary = SLOTS[usize::from(bytes[GOD_BYTE] & SECOND_SLOT)];
    let other = SLOTS[usize::from(bytes[GOD_BYTE] & SECOND_SLOT == 0)];
    // With nothing to fall back to, and no trust in a clean end, redb verifies all or reports.
    bytes.copy_within(primary..primary + SLOT_BYTES, other);
    bytes[GOD_BYTE] = (bytes[GOD_BYTE] | RECOVERY_REQUIRED) & !TWO_PHASE;
    let database = builder()
        .create_with_backend(Image::of(bytes))
        .map_err(Unreadable::damaged)?;
    contents(&database)
}

/// Compares what has no checksum.
fn check_frame(bytes: &[u8]) -> Result<(), Unreadable> {
    if bytes.len() < PAGE {
        let count = bytes.len();
        let what = format!("it has only {count} bytes");
        return Err(Unreadable::Damaged(what));
    }
    if bytes[MAGIC] != *MAGIC_BYTES {
        return Err(Unreadable::damaged("it is no store of Muster"));
    }
    let flags = bytes[GOD_BYTE];
    let is_known = flags & !(SECOND_SLOT | RECOVERY_REQUIRED) == TWO_PHASE;
    let versions = SLOTS.iter().all(|slot| bytes[*slot] == VERSION);
    let mut known = [REGION, LARGE_REGION].into_iter();
    let region = known.find(|region| bytes[GEOMETRY] == geometry(*region));
    let Some(Region { head, most }) = region.filter(|_| is_known && versions) else {
        return Err(Unreadable::damaged("its first page makes no sense"));
    };
    let number = |at: usize| {
        let digits = bytes[at..at + 4].try_into().expect("four bytes");
        u64::from(u32::from_le_bytes(digits))
    };
    let (region_head, region_most) = (u64::from(head), u64::from(most));
    let page = PAGE as u64;
    let region = |pages: u64| if pages == 0 { 0 } else { region_head + pages };
    let named = 1 + number(FULL_REGIONS) * region(region_most) + region(number(TRAILING_PAGES));
    let length = bytes.len() as u64;
    let beyond = (length / page - 1) % region(region_most);
    // A crash may leave more than the header names, in whole pages, but never less.
    let is_whole = length.is_multiple_of(page) && (beyond == 0 || beyond > region_head);
    if !is_whole || length / page < named {
        let what = format!(
            "it has {length} bytes and should have {}: it was cut off",
            named * page
        );
        return Err(Unreadable::Damaged(what));
    }
    Ok(())
}

/// What an opened store holds.
pub(super) fn contents(database: &Database) -> Result<Contents, Unreadable> {
    let transaction = database.begin_read().map_err(Unreadable::damaged)?;
    let table = match transaction.open_table(HEADER) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => {
            return Err(Unreadable::damaged("it does not say whose memory it is"));
        }
        Err(error) => return Err(Unreadable::damaged(error)),
    };
    let value = |key: &str| match table.get(key) {
        Ok(Some(value)) => Ok(value.value().to_vec()),
        Ok(None) => Err(Unreadable::Damaged(format!("its header lacks {key:?}"))),
        Err(error) => Err(Unreadable::damaged(error)),
    };
    let number = |key: &str| {
        let bytes = value(key)?.try_into().ok();
        let bytes = bytes.ok_or(Unreadable::Damaged(format!("its {key} is no number")))?;
        Ok(u64::from_le_bytes(bytes))
    };
    let text = |key: &str| {
        let text = String::from_utf8(value(key)?);
        text.map_err(|_| Unreadable::Damaged(format!("its {key} is no text")))
    };
    // First of all: what follows may be otherwise in a later one.
    let format = number("format")?;
    if format > FORMAT {
        return Err(Unreadable::Newer(format));
    }
    if format < FORMAT {
        return Err(Unreadable::Older(format));
    }
    let seed = Zeroizing::new(value("key")?);
    let seed = seed.as_slice().try_into();
    let seed = seed.map_err(|_| Unreadable::damaged("its key has another length"))?;
    let header = Header {
        format,
        cluster: text("cluster")?,
        member: text("member")?,
        key: VoterKey::from_seed(seed),
    };
    let core = transaction.open_table(CORE).map_err(Unreadable::damaged)?;
    let rows = core.iter().map_err(Unreadable::damaged)?.map(|row| {
        let (key, value) = row.map_err(Unreadable::damaged)?;
        Ok((key.value().to_vec(), value.value().to_vec()))
    });
    let rows = rows.collect::<Result<_, Unreadable>>()?;
    Ok(Contents { header, rows })
}

/// A file that is only in memory.
#[derive(Clone, Debug, Default)]
struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    fn of(bytes: Vec<u8>) -> Image {
        Image(Arc::new(Mutex::new(bytes)))
    }

    fn take(self) -> Vec<u8> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of `length` bytes in a file of `whole` bytes.
fn within(offset: u64, length: usize, whole: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(length);
    if end <= whole {
        Ok(start..end)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().len() as u64)
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let bytes = self.lock();
        let place = within(offset, length, bytes.len())?;
        Ok(bytes[place].to_vec())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::StorageFull)?;
        self.lock().resize(length, 0);
        Ok(())
    }

    fn sync_data(&self, _eventual: bool) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.lock();
        let place = within(offset, data.len(), bytes.len())?;
        bytes[place].copy_from_slice(data);
        Ok(())
    }
}
