//! Load driver: the direct path, nginx, a bare proxy and Pactgate side by side, in one run on one machine.
//!
//! `cargo bench --bench load` prints the table of `bench/README.md`. It sends to loopback only, for a bounded time.

mod children;
mod floor;
mod generator;
mod report;
mod subjects;
mod upstream;
mod workload;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::report::{Figures, Report};
use crate::subjects::Subject;
use crate::workload::Workload;

/// What can go wrong here is told to a person and ends the run.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures Pactgate beside its peers, on loopback.
#[derive(Parser)]
struct Arguments {
    /// Rounds; each figure is the median over them.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Seconds for each measurement.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Connections, all kept alive.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// Requests per second where latency is measured.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Measures these subjects only: direct, nginx, floor, pactgate.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Given by `cargo bench`; means nothing.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// The bare proxy, in a process of its own so that its time can be told apart.
    #[command(hide = true)]
    Floor { listen: SocketAddr, upstream: SocketAddr },
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    if let Some(Role::Floor { listen, upstream }) = arguments.role {
        return floor::run(listen, upstream);
    }
    let is_pinned = children::pin_self()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure(&arguments, is_pinned))
}

async fn measure(arguments: &Arguments, is_pinned: bool) -> Outcome<()> {
    let upstream = upstream::start().await?;
    let (subjects, missing) = subjects::start(upstream, &arguments.only).await?;
    let mut report = Report::new(arguments, is_pinned, &missing);
    for subject in &subjects {
        report.idle(subject)?;
    }
    for round in 1..=arguments.rounds {
        for workload in Workload::ALL {
            for subject in &subjects {
                let figures = one(arguments, subject, workload).await?;
                eprintln!("round {round}: {}, {}: {figures}", workload.name(), subject.name);
                report.add(subject, workload, figures);
            }
        }
    }
    for subject in &subjects {
        report.loaded(subject)?;
    }
    println!("{report}");
    if missing.is_empty() { Ok(()) } else { Err(missing.join("; ").into()) }
}

/// Measures one subject under one workload: as fast as it goes, then at a fixed rate.
async fn one(arguments: &Arguments, subject: &Subject, workload: Workload) -> Outcome<Figures> {
    let seconds = Duration::from_secs(arguments.seconds);
    let target = subject.target(workload);
    let mut connections = generator::connect(&target, arguments.connections).await?;
    generator::saturate(&mut connections, &target, seconds / 4).await?;

    let before = subject.cpu()?;
    let run = generator::saturate(&mut connections, &target, seconds).await?;
    let spent = subject.cpu()?.saturating_sub(before);

    let latencies = generator::pace(&mut connections, &target, arguments.rate, seconds).await?;
    Ok(Figures::new(run, spent, latencies))
}
