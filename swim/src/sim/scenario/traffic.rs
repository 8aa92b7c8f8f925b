//! What traffic costs on the wire, headers and sealing counted.

use crate::sim::Traffic;

/// IPv4 and UDP headers, and the sealing that every datagram has room for.
const DATAGRAM_OVERHEAD: u64 = 28 + 41;

/// IPv4 and TCP headers with timestamps.
const SEGMENT_OVERHEAD: u64 = 52;

/// Bytes of a stream in one segment.
const SEGMENT_BYTES: u64 = 1448;

/// Segments that open and close a stream, half of them from each side.
const STREAM_SEGMENTS: u64 = 6;

fn segments(traffic: &Traffic) -> u64 {
    let data = traffic
        .stream_messages_sent
        .max(traffic.stream_bytes_sent / SEGMENT_BYTES);
    data + STREAM_SEGMENTS * traffic.streams_opened
}

pub(super) fn packets_sent(traffic: &Traffic) -> u64 {
    traffic.datagrams_sent + segments(traffic)
}

pub(super) fn bytes_sent(traffic: &Traffic) -> u64 {
    traffic.bytes_sent
        + DATAGRAM_OVERHEAD * traffic.datagrams_sent
        + traffic.stream_bytes_sent
        + SEGMENT_OVERHEAD * segments(traffic)
}

pub(super) fn bytes_received(traffic: &Traffic) -> u64 {
    let segments = traffic.stream_bytes_received / SEGMENT_BYTES + STREAM_SEGMENTS / 2;
    let streams = if traffic.stream_bytes_received > 0 {
        segments
    } else {
        0
    };
    traffic.bytes_received
        + DATAGRAM_OVERHEAD * traffic.datagrams_received
        + traffic.stream_bytes_received
        + SEGMENT_OVERHEAD * streams
}
