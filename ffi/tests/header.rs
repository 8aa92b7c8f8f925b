//! `include/muster.h` and `muster.map` are what the sources say.
//!
//! cbindgen does not look into macros. All that `export!` takes away from a function is its raw
//! form, so that is put back as text, and cbindgen reads that.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const OPAQUE: [&str; 11] = [
    "Agent",
    "Attached",
    "Call",
    "Client",
    "Coordinator",
    "Error",
    "Event",
    "Events",
    "Member",
    "Members",
    "Response",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of every file of exports, in the order of the header.
fn exports() -> Vec<String> {
    let names = ["client", "events", "members", "attached", "agent", "error"];
    let path = |name: &str| root().join(format!("src/exports/{name}.rs"));
    let read = |name| fs::read_to_string(path(name)).expect("each of the files is there");
    names.into_iter().map(read).collect()
}

/// What stands in `export! { … }`.
fn exported(text: &str) -> &str {
    let start = text.find("export! {\n").expect("each file exports") + "export! {\n".len();
    let end = text[start..].find("\n}\n").expect("the macro ends") + start;
    &text[start..end + 1]
}

/// A function as it is without the macro.
fn plain(block: &str) -> String {
    let raw = block.replace("Status_", "Value").replace(
        "    fn muster_",
        "    #[unsafe(no_mangle)] pub extern \"C\" fn muster_",
    );
    let mut plain = String::new();
    for line in raw.lines() {
        // The one argument more of those with a status.
        let line = match line.strip_suffix(") -> Status {") {
            Some(start) if start.trim().is_empty() => {
                "        error: *mut *mut Error) -> Status {".to_owned()
            }
            Some(start) => format!("{start}, error: *mut *mut Error) -> Status {{"),
            None => line.to_owned(),
        };
        let _ = writeln!(plain, "{line}");
    }
    let mut plain = plain.replace("-> Value {", "-> Status {");
    while let Some(start) = plain.find("Out<'_, ") {
        let end = plain[start..].find('>').expect("a type ends") + start;
        let name = plain[start + "Out<'_, ".len()..end].rsplit("::").next();
        let pointer = format!("*mut *mut {}", name.expect("a type has a name"));
        plain.replace_range(start..=end, &pointer);
    }
    plain
}

/// All that cbindgen is to see.
fn source() -> String {
    let mut source = String::new();
    for name in ["failure", "document"] {
        let path = root().join(format!("src/{name}.rs"));
        let text = fs::read_to_string(path).expect("it is there");
        // Enums only: structs are known by their names.
        for part in text
            .split("\n/// ")
            .filter(|part| part.contains("#[repr(C)]\n"))
        {
            let end = part.find("\n}\n").expect("an enum ends") + 3;
            let _ = writeln!(source, "/// {}", &part[..end]);
        }
    }
    for name in OPAQUE {
        let _ = writeln!(source, "pub struct {name}(usize);");
    }
    for text in exports() {
        source.push_str(&plain(exported(&text)));
    }
    source
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for text in exports() {
        let starts = exported(&text).split("    fn ").skip(1).map(|rest| {
            let name = rest.split('(').next().unwrap_or_default();
            name.to_owned()
        });
        names.extend(starts);
    }
    names.sort();
    names
}

/// Compares with the file, or writes it.
fn hold(path: &str, made: &str) {
    let path: PathBuf = root().join(path);
    if std::env::var_os("MUSTER_BLESS").is_some() {
        fs::write(&path, made).expect("the file can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "{} is not what the sources say: run this test with MUSTER_BLESS=1 and look at the diff",
        path.display()
    );
}

#[test]
fn the_header_is_what_the_sources_say() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("exports.rs");
    fs::write(&file, source()).expect("there is room");
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml"));
    let builder = cbindgen::Builder::new()
        .with_config(config.expect("the configuration is one"))
        .with_src(&file);
    let bindings = builder.generate().expect("the sources can be read");
    let mut header = Vec::new();
    bindings.write(&mut header);
    let header = String::from_utf8(header).expect("it is text");
    for name in names() {
        assert!(
            header.contains(&format!("{name}(")),
            "{name} is missing from the header"
        );
    }
    hold("include/muster.h", &header);
}

/// The names that the shared library shows, all of its first version. A name that is added later
/// goes into a new block of its own, by hand.
#[test]
fn the_version_script_has_every_name() {
    let mut script = String::from("MUSTER_0 {\n  global:\n");
    for name in names() {
        let _ = writeln!(script, "    {name};");
    }
    script.push_str("  local:\n    *;\n};\n");
    hold("muster.map", &script);
}

#[test]
fn nothing_is_exported_but_by_the_macro() {
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources can be read") {
            let path = entry.expect("the sources can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("it is text");
            let is_guard = path.ends_with("guard.rs");
            let exports = text.contains("no_mangle") || text.contains("extern \"C\" fn");
            assert!(
                is_guard || !exports,
                "{} exports without the guard",
                path.display()
            );
        }
    }
}
