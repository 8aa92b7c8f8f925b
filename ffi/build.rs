//! Names the shared library as the dynamic linker is to look for it, and leaves the header where
//! maturin takes it for Python, as plain declarations: what it makes of the sources knows no
//! macros.

use std::env;
use std::fs;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=include/muster.h");
    let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmuster.so.{major}");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let marked = |folder: &&std::path::Path| folder.join("CACHEDIR.TAG").is_file();
    let header = fs::read_to_string("include/muster.h").unwrap_or_default();
    if let Some(target) = out.ancestors().find(marked) {
        // Without it maturin says what it lacks.
        let _ = fs::write(target.join("header.h"), declarations(&header));
    }
}

/// The header without what is for a preprocessor.
fn declarations(header: &str) -> String {
    let mut plain = String::new();
    let mut is_for_cpp = false;
    for line in header.lines() {
        match line.trim_start() {
            line if line.starts_with("#ifdef __cplusplus") => is_for_cpp = true,
            line if line.starts_with("#endif") => is_for_cpp = false,
            line if line.starts_with('#') || is_for_cpp => {}
            _ => {
                plain.push_str(line);
                plain.push('\n');
            }
        }
    }
    plain
}
