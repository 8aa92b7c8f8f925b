use super::card;
use crate::api::model::Status;
use crate::cli::table::Look;

#[test]
fn the_card_says_who_it_is_and_how_it_fares() {
    let status: Status = serde_json::from_str(
        r#"{"name":"n1","addr":"127.0.0.1:7946","instance":17,"incarnation":2,"cluster":"dev",
            "version":"0.1.0","view":0,"epoch":0,"coordinator":null,"quorum":"forming",
            "role":"non-voting","members":{"alive":4,"suspect":1,"unreachable":0,"left":0},
            "health":2,"lifecycle":"member","pid":99,"uptime_ms":192000,
            "digest":"00000000000000ab",
            "seeds":[{"seed":"a:1","joined":true,"last_error":null},
                     {"seed":"b:2","joined":false,"last_error":"refused"}],
            "stats":{"datagrams_received":10,"bytes_received":2500,"probes_answered":7,
                     "dropped":{"cluster":3}}}"#,
    )
    .expect("a status as the API gives it");
    assert_eq!(
        card(&status, Look::PLAIN),
        [
            "n1 at 127.0.0.1:7946 in cluster dev",
            "  phase      member, quorum forming, non-voting",
            "  members    5: 4 alive, 1 suspect",
            "  health     2 of 8, slow at times: it waits longer before it blames others",
            "  agent      muster 0.1.0, pid 99, up 3m 12s",
            "  instance   17, incarnation 2",
            "  table      view 0, digest 00000000000000ab",
            "  seeds      a:1 joined",
            "             b:2 refused",
            "  received   10 datagrams, 2 kB",
            "  sent       0 datagrams, 0 kB",
            "  probes     7 answered, 0 failed, 0 void; 0 suspicions of this member refuted",
            "  dropped    3 of another cluster",
        ]
    );
}
