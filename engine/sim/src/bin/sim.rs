//! Runs seeds and prints what broke, with the line that shows it again: `sim [--seeds N] [--from S] [--mutant NAME]`.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use synapse_engine_sim::{Options, Report, Violation, run};

const USAGE: &str = "usage: sim [--seeds N] [--from S] [--trace] [--mutant NAME|all]";

/// Seeds in which a mutant has to be noticed.
#[cfg(feature = "mutants")]
const MUTANT_SEEDS: u64 = 6_000;

struct Asked {
    seeds: u64,
    from: u64,
    options: Options,
    mutant: Option<String>,
}

fn main() -> ExitCode {
    let asked = match parse(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(what) => {
            eprintln!("{what}\n{USAGE} {}", Options::FLAGS);
            return ExitCode::from(2);
        }
    };
    match &asked.mutant {
        Some(name) => mutants(name, &asked),
        None => seeds(&asked),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        seeds: 1_000,
        from: 1,
        options: Options::default(),
        mutant: None,
    };
    while let Some(word) = words.next() {
        if asked
            .options
            .flag(&word, &mut words)
            .map_err(|error| error.to_string())?
        {
            continue;
        }
        let mut number = || -> Result<u64, String> {
            let text = words.next().ok_or_else(|| format!("{word} wants a number"))?;
            text.parse().map_err(|_| format!("{word} wants a number, not {text:?}"))
        };
        match word.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--from" => asked.from = number()?,
            "--trace" => asked.options.trace = true,
            "--mutant" => asked.mutant = Some(words.next().ok_or("--mutant wants a name, or all")?),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(asked)
}

/// Runs the seeds on every core and stops at the first violation.
fn seeds(asked: &Asked) -> ExitCode {
    let next = AtomicU64::new(asked.from);
    let end = asked.from.saturating_add(asked.seeds);
    let (total, broken) = (Mutex::new(Report::default()), Mutex::new(None::<Violation>));
    let worker = || {
        let mut mine = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                break;
            }
            match run(seed, &asked.options) {
                Ok(report) => mine.merge(&report),
                Err(violation) => {
                    next.store(end, Ordering::Relaxed);
                    let mut first = broken.lock().expect("no worker panics while it holds the lock");
                    if first.as_ref().is_none_or(|other| violation.seed < other.seed) {
                        *first = Some(violation);
                    }
                }
            }
        }
        total
            .lock()
            .expect("no worker panics while it holds the lock")
            .merge(&mine);
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(worker);
        }
    });
    if let Some(violation) = broken.into_inner().expect("the workers have ended") {
        for line in &violation.trace {
            println!("{line}");
        }
        eprintln!("{violation}");
        return ExitCode::FAILURE;
    }
    let total = total.into_inner().expect("the workers have ended");
    for (what, count) in total.counts().chain(total.conflicts()) {
        println!("{count:>12} {what}");
    }
    println!("{:>12} seeds, and every law held", total.seeds);
    ExitCode::SUCCESS
}

#[cfg(not(feature = "mutants"))]
fn mutants(_name: &str, _asked: &Asked) -> ExitCode {
    eprintln!("mutants are not compiled in; hint: cargo run -p synapse-engine-sim --features mutants -- --mutant all");
    ExitCode::from(2)
}

/// Every mutant asked for has to break a law within its seeds.
#[cfg(feature = "mutants")]
fn mutants(name: &str, asked: &Asked) -> ExitCode {
    use synapse_engine_sim::Mutant;
    let chosen: Vec<Mutant> = Mutant::ALL
        .into_iter()
        .filter(|mutant| name == "all" || format!("{mutant:?}") == name)
        .collect();
    if chosen.is_empty() {
        eprintln!("no mutant {name:?}; there are {:?}", Mutant::ALL);
        return ExitCode::from(2);
    }
    let mut survivors = 0;
    for mutant in chosen {
        Mutant::choose(Some(mutant));
        // A mutant may break an assertion as well as a law; both are noticed.
        let caught = |options: &Options, seed: u64| {
            let ran = std::panic::catch_unwind(|| run(seed, options));
            ran.map_or_else(
                |_| Some("an assertion".to_owned()),
                |run| run.err().map(|v| v.law.to_string()),
            )
        };
        // Where few rows are written often, what needs several coincidences happens.
        let narrow = Options {
            keys: 2,
            transactions: 24,
            ..asked.options.clone()
        };
        let seeds = || asked.from..asked.from + MUTANT_SEEDS;
        let found = [&asked.options, &narrow].into_iter().find_map(|options| {
            let found = seeds().find_map(|seed| Some((seed, caught(options, seed)?)));
            found.map(|(seed, by)| (seed, by, options.flags()))
        });
        match found {
            Some((seed, by, flags)) => println!("{mutant:?}: noticed by {by}, seed {seed} {flags}"),
            None => {
                survivors += 1;
                println!("{mutant:?}: NOT noticed in 2 times {MUTANT_SEEDS} seeds");
            }
        }
    }
    Mutant::choose(None);
    if survivors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
