use super::table;
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
            "buddies":["n2","n3"]}"#,
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
}
