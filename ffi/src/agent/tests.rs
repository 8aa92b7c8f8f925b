use super::by_names;

#[test]
fn messages_name_settings_as_the_text_of_settings_does() {
    let cases = [
        ("choose another with --bind", "choose another with `bind`"),
        (
            "--join: no such host; see --data-dir.",
            "`join`: no such host; see `data_dir`.",
        ),
        ("settings:1:3 -- a-b --é", "settings:1:3 -- a-b --é"),
        ("", ""),
    ];
    for (message, expected) in cases {
        assert_eq!(by_names(message), expected);
    }
}
