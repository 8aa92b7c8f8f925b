//! The report: one page of SVG.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::results::Results;
use crate::cli::Failure;

mod page;
mod panels;

/// Whether [`write_svg`] will be able to write there, to be asked before the runs.
pub(super) fn check_writable(path: &Path) -> Result<(), Failure> {
    let checked = match place_of(path) {
        Place::Beside(target) => temporary_beside(&target).map(drop),
        Place::Into => fs::OpenOptions::new().write(true).open(path).map(drop),
    };
    checked.map_err(|error| cannot_write(path, &error))
}

/// Writes the report, whole or not at all: a file that is there is replaced at once.
pub(super) fn write_svg(path: &Path, results: &Results<'_>) -> Result<(), Failure> {
    let svg = page::draw(results)
        .map_err(|error| Failure::Message(format!("cannot draw the report: {error}")))?;
    let written = match place_of(path) {
        Place::Beside(target) => replace(&target, &svg),
        Place::Into => fs::write(path, &svg),
    };
    written.map_err(|error| cannot_write(path, &error))
}

/// How a file can be written.
enum Place {
    /// Beside it and then renamed: the file itself, with links followed.
    Beside(PathBuf),
    /// A device or a pipe, which must not be replaced.
    Into,
}

fn place_of(path: &Path) -> Place {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => Place::Into,
        Ok(_) => Place::Beside(path.canonicalize().unwrap_or_else(|_| path.to_owned())),
        Err(_) => Place::Beside(path.to_owned()),
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut file = temporary_beside(path)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// With the rights that any new file has.
fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    tempfile::Builder::new()
        .prefix(".muster-report-")
        .permissions(rights)
        .tempfile_in(folder.unwrap_or(Path::new(".")))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::Message(format!(
        "cannot write the report to {path}: {error}; give --svg a file in a folder that you may \
         write to"
    ))
}

#[cfg(test)]
mod tests;
