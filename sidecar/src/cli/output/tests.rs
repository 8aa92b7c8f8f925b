use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::{ago, rough, rtt, tags};

#[test]
fn durations_show_their_two_largest_units() {
    let shown = |seconds| rough(Duration::from_secs(seconds));
    assert_eq!(shown(0), "0s");
    assert_eq!(shown(59), "59s");
    assert_eq!(shown(60), "1m");
    assert_eq!(shown(192), "3m 12s");
    assert_eq!(shown(3600 + 59), "1h");
    assert_eq!(shown(26 * 3600 + 60), "1d 2h");
}

#[test]
fn a_time_in_the_future_is_no_time_ago() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
    assert_eq!(ago("1970-01-01T00:00:40.000Z", now), "1m");
    assert_eq!(ago("1970-01-01T00:02:00.000Z", now), "0s");
    assert_eq!(ago("yesterday", now), "yesterday");
}

#[test]
fn round_trips_keep_three_digits() {
    assert_eq!(rtt(None), "-");
    assert_eq!(rtt(Some(7)), "0.007 ms");
    assert_eq!(rtt(Some(9_999)), "9.999 ms");
    assert_eq!(rtt(Some(12_345)), "12.3 ms");
}

#[test]
fn tags_are_listed_in_the_order_of_their_keys() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        tags(&BTreeMap::from([pair("zone", "a"), pair("role", "db")])),
        "role=db zone=a"
    );
    assert_eq!(tags(&BTreeMap::new()), "-");
}
