#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| muster_sidecar::fuzz::http(input));
