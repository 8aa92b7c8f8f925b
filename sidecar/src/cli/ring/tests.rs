use super::{links, table};
use crate::api::model::Rings;
use crate::cli::table::Look;

#[test]
fn each_ring_has_both_neighbours() {
    let rings: Rings = serde_json::from_str(
        r#"{"rings":[
            {"ring":0,
             "predecessor":{"name":"n2","addr":"127.0.0.1:7002","state":"alive","rtt_us":1234},
             "successor":{"name":"n3","addr":"127.0.0.1:7003","state":"suspect","rtt_us":null}},
            {"ring":1,"predecessor":null,"successor":null}],
            "buddies":["n2","n3"],
            "links":[
            {"name":"n3","ours":true,"state":"down","since":"2026-01-01T00:00:00.000Z",
             "again":"2026-01-01T00:00:02.000Z"},
            {"name":"n2","ours":false,"state":"up","since":"2026-01-01T00:00:01.000Z",
             "again":null}]}"#,
    )
    .expect("rings as the API gives them");
    assert_eq!(
        table(&rings).lines(Look::PLAIN),
        [
            "RING  NEIGHBOUR    NAME  ADDR            STATE         RTT",
            "0     predecessor  n2    127.0.0.1:7002  alive    1.234 ms",
            "0     successor    n3    127.0.0.1:7003  suspect         -",
            "1     predecessor  -     -               -               -",
            "1     successor    -     -               -               -",
        ]
    );
    assert_eq!(
        links(&rings.links).lines(Look::PLAIN),
        [
            "LINK  OPENED BY    STATE  SINCE                     AGAIN",
            "n3    this member  down   2026-01-01T00:00:00.000Z  2026-01-01T00:00:02.000Z",
            "n2    the other    up     2026-01-01T00:00:01.000Z  -",
        ]
    );
}
