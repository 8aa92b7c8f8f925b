//! How many members there are at an address, roughly: never too few, and too many as good as never.

use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Two rows of counters, each of which an address shares with others; the smaller one is told (a
/// count-min sketch, Cormode and Muthukrishnan 2005). A list of addresses would cost as much for
/// each member as the rest of it.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    rows: Box<[[u16; WIDTH]; 2]>,
}

/// Counters in a row: with 65,536 members at as many addresses, each counts 32 in the mean.
const WIDTH: usize = 2048;

impl Default for Addresses {
    fn default() -> Addresses {
        Addresses {
            rows: Box::new([[0; WIDTH]; 2]),
        }
    }
}

impl Addresses {
    /// So many are at this address, or fewer.
    pub(super) fn at_most(&self, addr: IpAddr) -> usize {
        let counts = self.rows.iter().zip(places(addr));
        let counts = counts.map(|(row, place)| usize::from(row[place]));
        counts.min().unwrap_or(0)
    }

    /// One more is there. The table is no longer than a counter counts.
    pub(super) fn add(&mut self, addr: IpAddr) {
        for (row, place) in self.rows.iter_mut().zip(places(addr)) {
            row[place] = row[place].saturating_add(1);
        }
    }

    /// One that was added is not there any more.
    pub(super) fn remove(&mut self, addr: IpAddr) {
        for (row, place) in self.rows.iter_mut().zip(places(addr)) {
            row[place] = row[place].saturating_sub(1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self.rows == [[0; WIDTH]; 2]
    }
}

fn places(addr: IpAddr) -> [usize; 2] {
    let bits = match addr {
        IpAddr::V4(addr) => addr.to_ipv6_mapped(),
        IpAddr::V6(addr) => addr,
    };
    [1, 2].map(|seed| xxh3_64_with_seed(&bits.octets(), seed) as usize % WIDTH)
}
