use super::plan;
use crate::api::model::{Member, Status};
use crate::cli::table::Look;

fn member(name: &str, state: &str) -> Member {
    let json = format!(
        r#"{{"name":"{name}","addr":"127.0.0.1:7001","instance":1,"incarnation":0,
        "state":"{state}","verdict":"up","view":4,"since":"1970-01-01T00:00:00.000Z","zone":null,
        "tags":{{}},"voter":true,"self":false,"rtt_us":null}}"#
    );
    serde_json::from_str(&json).expect("a member as the API gives it")
}

#[test]
fn the_plan_says_who_decides_who_is_given_up_and_what_would_be_refused() {
    let status: Status = serde_json::from_str(
        r#"{"name":"n1","addr":"127.0.0.1:7946","instance":17,"incarnation":2,"cluster":"prod",
            "version":"0.1.0","view":17,"epoch":3,"coordinator":null,"quorum":"lost",
            "role":"voter","voters":["n1","n4","n5"],"members":{},"health":0,
            "lifecycle":"member","pid":99,"uptime_ms":1,"digest":"00000000000000ab","seeds":[],
            "stats":{}}"#,
    )
    .expect("a status as the API gives it");
    let members = [
        member("n1", "alive"),
        member("n2", "alive"),
        member("n3", "unreachable"),
        member("n4", "unreachable"),
    ];
    let survivors = ["n1", "n3", "n9"].map(str::to_owned);
    assert_eq!(
        plan(&status, &members, &survivors, Look::PLAIN),
        [
            "RECOVER A LOST QUORUM of cluster prod, at n1",
            "The quorum is lost, at view 17 and epoch 3; until now n1, n4, n5 vote.",
            "n1 would vote alone at first; who is given up is removed once it decides.",
            "",
            "NAME  ADDR            STATE        VERDICT  WOULD BE",
            "n1    127.0.0.1:7001  alive        up       a survivor",
            "n2    127.0.0.1:7001  alive        up       given up, but answers: refused",
            "n3    127.0.0.1:7001  unreachable  up       a survivor, but does not answer: refused",
            "n4    127.0.0.1:7001  unreachable  up       given up",
            "n9 is not known here: it would be refused.",
            "",
        ]
    );
}
