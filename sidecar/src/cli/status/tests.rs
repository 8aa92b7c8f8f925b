use super::card;
use crate::api::model::Status;
use crate::cli::table::Look;

const STATUS: &str = r#"{"name":"n1","addr":"127.0.0.1:7946","instance":17,"incarnation":2,"cluster":"dev",
    "version":"0.1.0","view":17,"epoch":3,"coordinator":"n2","quorum":"held","role":"voter",
    "voters":["n1","n2","n3"],"lineage":"00000000000000ab0000","conflict":null,
    "memory_failed":false,"members":{"alive":4,"suspect":1,"unreachable":0,"left":0,"dead":2},
    "health":2,"lifecycle":"member","pid":99,"uptime_ms":192000,
    "digest":"00000000000000ab",
    "seeds":[{"seed":"a:1","joined":true,"last_error":null},
             {"seed":"b:2","joined":false,"last_error":"refused"}],
    "stats":{"datagrams_received":10,"bytes_received":2500,"probes_answered":7,
             "dropped":{"cluster":3}}}"#;

fn status() -> Status {
    serde_json::from_str(STATUS).expect("a status as the API gives it")
}

#[test]
fn the_card_says_who_it_is_and_how_it_fares() {
    assert_eq!(
        card(&status(), Look::PLAIN),
        [
            "n1 at 127.0.0.1:7946 in cluster dev",
            "  phase       member, voter",
            "  quorum      held, 3 voters: n1, n2, n3",
            "  coordinator n2, epoch 3",
            "  view        17 of history 00000000000000ab0000",
            "  members     7: 4 alive, 1 suspect, 2 dead",
            "  health      2 of 8, slow at times: it waits longer before it blames others",
            "  agent       muster 0.1.0, pid 99, up 3m 12s",
            "  instance    17, incarnation 2",
            "  table       digest 00000000000000ab",
            "  seeds       a:1 joined",
            "              b:2 refused",
            "  received    10 datagrams, 2 kB",
            "  sent        0 datagrams, 0 kB",
            "  probes      7 answered, 0 failed, 0 void; 0 suspicions of this member refuted",
            "  dropped     3 of another cluster",
        ]
    );
}

#[test]
fn before_anything_was_agreed_the_card_says_so() {
    let forming = Status {
        quorum: "forming".into(),
        voters: Vec::new(),
        coordinator: None,
        lineage: None,
        view: 0,
        epoch: 0,
        ..status()
    };
    let lines = card(&forming, Look::PLAIN);
    assert_eq!(
        lines[2..5],
        [
            "  quorum      forming, no voters known",
            "  coordinator none yet",
            "  view        none yet",
        ]
    );
}

#[test]
fn what_is_wrong_with_the_agreement_is_on_the_card() {
    let lost = Status {
        quorum: "lost".into(),
        coordinator: None,
        conflict: Some("00000000000000cd0000".to_owned()),
        memory_failed: true,
        ..status()
    };
    let lines = card(&lost, Look::PLAIN);
    assert_eq!(lines[3], "  coordinator none; the last epoch was 3");
    assert_eq!(
        lines[5..7],
        [
            "  conflict    a cluster of the same name was met and is kept apart, history \
             00000000000000cd0000",
            "  memory      saving failed: this member votes no more until it is restarted; see its \
             log",
        ]
    );
}
