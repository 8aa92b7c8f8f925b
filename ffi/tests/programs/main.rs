//! C and C++ programs against an installed libmuster: both compilers, warnings as errors, under
//! AddressSanitizer and under valgrind, beside real sidecars.
//!
//! `tests/run ffi` prepares what they need: `MUSTER_PREFIX` is where `ffi/install` put the library.

mod sidecar;

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use sidecar::Sidecar;

/// How a program is built and run.
#[derive(Clone, Copy, Debug)]
enum Way {
    GccSanitized,
    ClangSanitized,
    /// By clang, in valgrind.
    Valgrind,
    /// By gcc, with libmuster.a.
    Static,
}

const WAYS: [Way; 4] = [
    Way::GccSanitized,
    Way::ClangSanitized,
    Way::Valgrind,
    Way::Static,
];

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

fn prefix() -> PathBuf {
    let prefix = env::var_os("MUSTER_PREFIX");
    let prefix = prefix.expect("MUSTER_PREFIX is where `ffi/install` put libmuster");
    PathBuf::from(prefix)
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/c")
}

/// Runs a command to its end; its output when that is good.
fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    let words = run(command.args(arguments).arg("muster"));
    words.split_whitespace().map(str::to_owned).collect()
}

/// Builds a source, of the tests or an example.
fn build(source: &Path, way: Way, folder: &Path) -> PathBuf {
    let name = source.file_stem().expect("a source has a name");
    let program = folder.join(name);
    let is_cpp = source.extension().is_some_and(|is| is == "cpp");
    let compiler = match (way, is_cpp) {
        (Way::GccSanitized | Way::Static, false) => "gcc",
        (Way::GccSanitized | Way::Static, true) => "g++",
        (Way::ClangSanitized | Way::Valgrind, false) => "clang",
        (Way::ClangSanitized | Way::Valgrind, true) => "clang++",
    };
    let mut command = Command::new(compiler);
    command.arg(if is_cpp { "-std=c++17" } else { "-std=c11" });
    command.args(WARNINGS).args(["-g", "-O1", "-pthread"]);
    command.arg(source).arg("-o").arg(&program);
    command.args(pkg_config(&["--cflags"]));
    if matches!(way, Way::GccSanitized | Way::ClangSanitized) {
        command.args(["-fsanitize=address", "-fno-omit-frame-pointer"]);
    }
    if matches!(way, Way::Static) {
        command.arg(prefix().join("lib/libmuster.a"));
        let private = pkg_config(&["--libs", "--static"]);
        command.args(private.iter().filter(|flag| *flag != "-lmuster"));
    } else {
        command.args(pkg_config(&["--libs"]));
        command.arg(format!("-Wl,-rpath,{}/lib", prefix().display()));
    }
    run(&mut command);
    program
}

fn command(program: &Path, way: Way) -> Command {
    let mut command = match way {
        Way::Valgrind => {
            let mut command = Command::new("valgrind");
            command.args(["-q", "--error-exitcode=9", "--leak-check=full"]);
            // What is still reachable is what the runtime keeps for the life of the process.
            command.args([
                "--show-leak-kinds=definite",
                "--errors-for-leak-kinds=definite",
            ]);
            command.arg("--track-fds=no").arg(program);
            command
        }
        Way::GccSanitized | Way::ClangSanitized | Way::Static => Command::new(program),
    };
    command.env("ASAN_OPTIONS", "detect_leaks=1");
    command
}

/// Runs a program of the tests in every way, each time beside a fresh sidecar.
fn beside_a_sidecar(source: &str, settings: &[&str]) {
    for way in WAYS {
        let folder = TempDir::new().expect("there is room");
        let sidecar = Sidecar::start(folder.path(), settings);
        let program = build(&sources().join(source), way, folder.path());
        run(command(&program, way).arg(&sidecar.socket));
    }
}

fn alone(source: &str) {
    for way in WAYS {
        let folder = TempDir::new().expect("there is room");
        let program = build(&sources().join(source), way, folder.path());
        run(command(&program, way).arg(folder.path()));
    }
}

#[test]
fn questions_answers_and_arguments_that_are_wrong() {
    beside_a_sidecar("basics.c", &[]);
}

#[test]
fn events_come_in_order_and_are_of_one_thread_and_one_process() {
    beside_a_sidecar("events.c", &[]);
}

#[test]
fn a_reader_that_falls_behind_is_told() {
    beside_a_sidecar("full.c", &["--event-buffer=16"]);
}

#[test]
fn a_hundred_clients_and_eight_threads() {
    beside_a_sidecar("clients.c", &[]);
}

#[test]
fn owners_of_cpp_free_and_throw() {
    beside_a_sidecar("owners.cpp", &[]);
}

#[test]
fn members_inside_of_a_program_leave_die_and_keep_to_themselves() {
    alone("agent.c");
}

#[test]
fn what_is_no_agent_breaks_off_or_says_no_is_one_clear_error() {
    alone("bad.c");
}

#[test]
fn a_watch_goes_on_when_its_agent_is_killed_and_starts_again() {
    for way in WAYS {
        let folder = TempDir::new().expect("there is room");
        let mut sidecar = Sidecar::start(folder.path(), &[]);
        let program = build(&sources().join("restart.c"), way, folder.path());
        let mut command = command(&program, way);
        let command = command.arg(&sidecar.socket).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it can be run");
        let output = child.stdout.take().expect("it is piped");
        for line in BufReader::new(output).lines() {
            if line.expect("it writes text") == "watching" {
                sidecar.kill();
                sidecar = Sidecar::start(folder.path(), &[]);
            }
        }
        assert!(child.wait().expect("it ends").success(), "{way:?}");
    }
}

#[test]
fn the_samples_of_c_join_watch_and_leave() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings/c/examples");
    let folder = TempDir::new().expect("there is room");
    let other = TempDir::new().expect("there is room");
    let (way, first) = (Way::GccSanitized, Sidecar::start(folder.path(), &[]));
    let second = Sidecar::start(other.path(), &["--name=n2", "--expect=2"]);
    let program = |name: &str| build(&examples.join(name), way, folder.path());
    let (join, watch, leave) = (program("join.c"), program("watch.c"), program("leave.c"));
    let mut command_of_watch = command(&watch, way);
    let watching = command_of_watch.arg(&first.socket).stdout(Stdio::piped());
    let mut watching = watching.spawn().expect("it can be run");
    let mut lines = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    let mut await_line = |wanted: &str| {
        let found = lines
            .by_ref()
            .map(|line| line.expect("text"))
            .any(|line| line == wanted);
        assert!(found, "watch never said {wanted:?}");
    };
    await_line("n1 is alive");
    run(command(&join, way).arg(first.address()).arg(&second.socket));
    await_line("member-up n2");
    run(command(&leave, way).arg(&second.socket));
    await_line("member-left n2");
    watching.kill().expect("it runs");
    watching.wait().expect("it ends");
    let refused = command(&leave, way)
        .arg("/nowhere")
        .output()
        .expect("it can be run");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no such file"));
}

#[test]
fn the_example_of_the_readme_is_a_program() {
    let readme = include_str!("../../README.md");
    let example = readme.split("```c\n").nth(1).expect("there is one");
    let example = example.split("```").next().expect("it ends");
    let folder = TempDir::new().expect("there is room");
    let source = folder.path().join("readme.c");
    std::fs::write(&source, example).expect("there is room");
    let program = build(&source, Way::GccSanitized, folder.path());
    let mut command = command(&program, Way::GccSanitized);
    let output = command.env("MUSTER_SOCKET", "/nowhere").output();
    let said = String::from_utf8_lossy(&output.expect("it can be run").stderr).into_owned();
    assert!(said.contains("/nowhere: there is no such file"), "{said}");
}

#[test]
fn the_shared_library_shows_its_own_names_under_its_version_and_no_other() {
    let library = prefix().join("lib/libmuster.so");
    let names = run(Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(&library));
    let script = include_str!("../../muster.map");
    let mut shown: Vec<&str> = names
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    shown.retain(|name| *name != "MUSTER_0");
    shown.sort_unstable();
    let wanted = script
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';'));
    let wanted = wanted.filter(|name| name.starts_with("muster_"));
    let wanted: Vec<String> = wanted.map(|name| format!("{name}@@MUSTER_0")).collect();
    assert_eq!(shown, wanted);
    let head = run(Command::new("readelf").arg("-d").arg(&library));
    assert!(head.contains("Library soname: [libmuster.so.0]"), "{head}");
}

#[test]
fn the_header_is_clean_in_both_languages_of_both_compilers() {
    let folder = TempDir::new().expect("there is room");
    for (compiler, language, standard, header) in [
        ("gcc", "c", "c11", "muster.h"),
        ("clang", "c", "c11", "muster.h"),
        ("g++", "c++", "c++17", "muster.h"),
        ("clang++", "c++", "c++17", "muster.hpp"),
    ] {
        let file = folder.path().join("only");
        std::fs::write(&file, format!("#include <{header}>\n")).expect("there is room");
        let mut command = Command::new(compiler);
        command
            .args(WARNINGS)
            .args(["-fsyntax-only", "-x", language]);
        run(command
            .arg(format!("-std={standard}"))
            .args(pkg_config(&["--cflags"]))
            .arg(file));
    }
}

#[test]
fn cmake_finds_it() {
    let folder = TempDir::new().expect("there is room");
    let list = "cmake_minimum_required(VERSION 3.16)\nproject(sample C)\n\
                find_package(muster 0.1 REQUIRED)\nadd_executable(shared watch.c)\n\
                target_link_libraries(shared muster::muster)\nadd_executable(static watch.c)\n\
                target_link_libraries(static muster::muster_static)\n";
    std::fs::write(folder.path().join("CMakeLists.txt"), list).expect("there is room");
    let watch = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings/c/examples/watch.c");
    std::fs::copy(watch, folder.path().join("watch.c")).expect("there is room");
    let out = folder.path().join("out");
    let found = format!("-DCMAKE_PREFIX_PATH={}", prefix().display());
    run(Command::new("cmake")
        .arg("-S")
        .arg(folder.path())
        .arg("-B")
        .arg(&out)
        .arg(found));
    run(Command::new("cmake").arg("--build").arg(&out));
    for program in ["shared", "static"] {
        let refused = Command::new(out.join(program)).arg("/nowhere").output();
        let refused = refused.expect("it can be run");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no such file"));
    }
}
