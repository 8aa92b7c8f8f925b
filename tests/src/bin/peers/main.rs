//! Muster beside Serf, kinship and foca: real processes that do the same work in the same run.
//! `tests/peers` installs the peers and runs it.

mod crowd;
mod figures;
mod peer;
mod report;
mod requests;
mod rows;

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use figures::Figures;
use peer::Peer;
use report::Heading;
use rows::{Row, Spans};

/// Faults are measured at sizes up to this one, unless all are larger.
const FAULT_MEMBERS: usize = 60;

const USAGE: &str = "usage: peers [--quick] [--members N,N] [--rows ROW,ROW] [--peers PEER,PEER] \
                     [--repetitions N] [--seconds N] [--output FOLDER]";

struct Options {
    sizes: Vec<usize>,
    rows: Vec<Row>,
    peers: Vec<Peer>,
    repetitions: usize,
    seconds: u64,
    quick: bool,
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "ask-serf") {
        return ask_serf(&words[1..]);
    }
    let options = match parse(&words) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("tests/peers: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match compare(&options, &words) {
        Ok(complete) if complete => ExitCode::SUCCESS,
        Ok(_) => {
            eprintln!("tests/peers: a cluster of Muster did not come together: no figures of it");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tests/peers: the results cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Options, String> {
    let quick = words.iter().any(|word| word == "--quick");
    let mut options = Options {
        sizes: if quick { vec![5] } else { vec![10, 60, 150] },
        rows: if quick {
            vec![Row::Quiet]
        } else {
            Row::ALL.to_vec()
        },
        peers: Peer::ALL.to_vec(),
        repetitions: if quick { 1 } else { 3 },
        seconds: if quick { 2 } else { 60 },
        quick,
        output: None,
    };
    let mut words = words.iter().filter(|word| *word != "--quick");
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{word} needs a value"))?;
        let wrong = || format!("{word} cannot be '{value}'");
        let number = || value.parse::<usize>().map_err(|_| wrong());
        match word.as_str() {
            "--members" => {
                let sizes = value.split(',').map(|size| size.parse().ok());
                let sizes: Option<Vec<usize>> = sizes.collect();
                options.sizes = sizes.ok_or_else(wrong)?;
                if !options.sizes.iter().all(|size| (5..=250).contains(size)) {
                    return Err(format!("{}: clusters have 5 to 250 members", wrong()));
                }
            }
            "--rows" => {
                let rows: Option<_> = value.split(',').map(Row::named).collect();
                let all = Row::ALL.map(Row::name).join(", ");
                options.rows = rows.ok_or_else(|| format!("{}; there are {all}", wrong()))?;
            }
            "--peers" => {
                let peers: Option<_> = value.split(',').map(Peer::named).collect();
                let all = Peer::ALL.map(Peer::name).join(", ");
                options.peers = peers.ok_or_else(|| format!("{}; there are {all}", wrong()))?;
            }
            "--repetitions" => options.repetitions = number()?.max(1),
            "--seconds" => options.seconds = number()?.max(1) as u64,
            "--output" => options.output = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown option '{word}'")),
        }
    }
    Ok(options)
}

/// Runs everything and writes the page; whether all clusters of Muster gave figures.
fn compare(options: &Options, words: &[String]) -> io::Result<bool> {
    let peers: Vec<_> = options
        .peers
        .iter()
        .map(|&peer| (peer, peer.version()))
        .collect();
    for (peer, version) in &peers {
        if let Err(why) = version {
            eprintln!("{peer} is left out: {why}");
        }
    }
    let able: Vec<Peer> = peers
        .iter()
        .filter(|(_, version)| version.is_ok())
        .map(|(peer, _)| *peer)
        .collect();
    let spans = Spans {
        settle: Duration::from_secs(options.seconds.min(15)),
        fault: Duration::from_secs(options.seconds),
        requests: Duration::from_secs(if options.quick { 1 } else { 5 }),
    };
    let heading = Heading {
        command: command(words),
        repetitions: options.repetitions,
        seconds: options.seconds,
        peers: peers.clone(),
    };
    let (mut figures, start, mut done) = (Figures::default(), Instant::now(), 0);
    let steps = steps(options);
    let all = steps.len() * able.len() * options.repetitions;
    for round in 0..options.repetitions {
        for &(row, size) in &steps {
            for &peer in &able {
                let (row_name, seconds) = (row.name(), start.elapsed().as_secs());
                eprintln!("[{done}/{all}, {seconds} s] {row_name}: {peer}, {size} members");
                row.run(peer, size, round, spans, &mut figures);
                done += 1;
                // Whatever ends the run, what was measured so far is there.
                if let Some(folder) = &options.output {
                    write(folder, &heading, &figures)?;
                }
            }
        }
    }
    println!("{}", report::table(&heading, &figures));
    Ok(figures.came_together(Peer::Muster) || !able.contains(&Peer::Muster))
}

/// How it was called, without the folder that this machine keeps the results in.
fn command(words: &[String]) -> String {
    let mut command = String::from("tests/peers");
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--output" {
            words.next();
        } else {
            command.push(' ');
            command.push_str(word);
        }
    }
    command
}

/// Rows and sizes, in order.
fn steps(options: &Options) -> Vec<(Row, usize)> {
    let smallest = options.sizes.iter().min().copied().unwrap_or(FAULT_MEMBERS);
    let limit = smallest.max(FAULT_MEMBERS);
    let rows = options.rows.iter();
    let each = rows.flat_map(|&row| options.sizes.iter().map(move |&size| (row, size)));
    each.filter(|(row, size)| *row == Row::Quiet || *size <= limit)
        .collect()
}

fn write(folder: &PathBuf, heading: &Heading, figures: &Figures) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let chart = report::chart(figures).map_err(io::Error::other)?;
    fs::write(folder.join("peers.svg"), chart)?;
    let mut page = report::table(heading, figures);
    page.push_str("\n![Medians of each line](peers.svg)\n");
    fs::write(folder.join("results.md"), page)
}

/// The part of a run that has to be in the namespace: ADDRESS MILLISECONDS MEMBERS.
fn ask_serf(words: &[String]) -> ExitCode {
    let asked = || {
        let span = Duration::from_millis(words.get(1)?.parse().ok()?);
        let members = words.get(2)?.parse().ok()?;
        requests::of_serf(words.first()?.parse().ok()?, span, members).ok()
    };
    match asked() {
        Some(rate) => {
            println!("{rate}");
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}
