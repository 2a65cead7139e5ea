//! Load driver: the direct path, nginx, a bare proxy and Pactgate side by side, in one run on one machine.
//!
//! `cargo bench --bench load` prints the table of `bench/README.md`. It sends to loopback only, for a bounded time.

mod children;
mod crowd;
mod event_stream;
mod figures;
mod floor;
mod generator;
mod pactgate;
mod pages;
mod plane;
mod report;
mod subjects;
mod upstream;
mod workload;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::figures::Figures;
use crate::report::Report;
use crate::subjects::Subject;
use crate::workload::{Streamed, Workload};

/// What can go wrong here is told to a person and ends the run.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The stream whose first chunk is waited for. It ends before its connection is due again.
const FIRST_CHUNK: Streamed = Streamed::paced(8, 2);

/// A tool call: its name, ten pieces of its arguments, and its end, which is one chunk more.
const TOOL_CALL: Streamed = Streamed::tool_call(11);
/// As many chunks that nobody needs to hold.
const TEXT_LIKE_TOOL_CALL: Streamed = Streamed::text(TOOL_CALL.chunks);

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
    /// Chunks of a long stream; what one chunk costs is told by comparison with a stream of one.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    chunks: u32,
    /// Streams at once, each at the pace of a model that writes.
    #[arg(long, value_delimiter = ',', default_value = "200,1000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3_000))]
    streams: Vec<u32>,
    /// Measures this only. Default: everything.
    #[arg(long, value_enum, value_delimiter = ',')]
    what: Vec<What>,
    /// Measures these subjects only: direct, nginx, floor, pactgate.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Given by `cargo bench`; means nothing.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Calls that are answered in one piece.
    Unary,
    /// Streamed answers: the first chunk, and what each further one costs.
    Stream,
    /// A streamed tool call beside as many chunks of text.
    Tools,
    /// Many streams at once.
    Many,
}

#[derive(Subcommand)]
enum Role {
    /// The bare proxy, in a process of its own so that its time can be told apart.
    #[command(hide = true)]
    Floor { listen: SocketAddr, upstream: SocketAddr },
}

/// How one workload is measured.
#[derive(Clone, Copy)]
struct Plan {
    workload: Workload,
    /// As fast as it goes.
    saturated: bool,
    /// At a fixed rate.
    paced: bool,
}

impl Arguments {
    /// What is to be measured, in the order of the tables.
    fn what(&self) -> Vec<What> {
        let all = [What::Unary, What::Stream, What::Tools, What::Many];
        all.into_iter().filter(|what| self.what.is_empty() || self.what.contains(what)).collect()
    }

    /// The workloads of all that, but of many streams at once, which are another thing.
    fn plans(&self) -> Vec<Plan> {
        let plan = |workload, saturated, paced| Plan { workload, saturated, paced };
        let streamed = Workload::Streamed;
        let of = |what| match what {
            What::Unary => Workload::UNARY.map(|workload| plan(workload, true, true)).to_vec(),
            What::Stream => vec![
                plan(streamed(FIRST_CHUNK), false, true),
                plan(streamed(Streamed::text(1)), true, false),
                plan(streamed(Streamed::text(self.chunks)), true, false),
            ],
            What::Tools => {
                vec![plan(streamed(TEXT_LIKE_TOOL_CALL), true, false), plan(streamed(TOOL_CALL), true, false)]
            }
            What::Many => Vec::new(),
        };
        self.what().into_iter().flat_map(of).collect()
    }
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    if let Some(Role::Floor { listen, upstream }) = arguments.role {
        return floor::run(listen, upstream);
    }
    let is_pinned = children::pin_self()?;
    children::allow_open_files();
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
        for plan in arguments.plans() {
            for subject in &subjects {
                let figures = one(arguments, subject, plan, &mut report).await?;
                eprintln!("round {round}: {}, {}: {figures}", plan.workload, subject.name);
                report.add(subject, plan.workload, figures);
            }
        }
        if arguments.what().contains(&What::Many) {
            crowds(arguments, round, &subjects, &mut report).await?;
        }
    }
    for subject in &subjects {
        report.loaded(subject)?;
        pactgate::check_tier(subject).await?;
        if let Some(account) = subject.quiet().await? {
            report.evidence(account.close()?);
        }
    }
    println!("{report}");
    if missing.is_empty() { Ok(()) } else { Err(missing.join("; ").into()) }
}

/// Measures one subject under one workload: as fast as it goes, then at a fixed rate.
async fn one(arguments: &Arguments, subject: &Subject, plan: Plan, report: &mut Report) -> Outcome<Figures> {
    let seconds = Duration::from_secs(arguments.seconds);
    let target = subject.target(plan.workload);
    let mut connections = generator::connect(&target, arguments.connections).await?;
    generator::saturate(&mut connections, &target, seconds / 4).await?;

    let mut run = None;
    if plan.saturated {
        let before = subject.begin().await?;
        let done = generator::saturate(&mut connections, &target, seconds).await?;
        let spent = subject.end(before).await?;
        run = Some((done, spent.cpu));
        spent.evidence.into_iter().for_each(|delivered| report.add_delivered(delivered));
    }
    let mut latencies = Vec::new();
    if plan.paced {
        subject.quiet().await?;
        latencies = generator::pace(&mut connections, &target, arguments.rate, seconds).await?;
    }
    subject.quiet().await?;
    Ok(Figures::new(run, &latencies))
}

async fn crowds(arguments: &Arguments, round: u32, subjects: &[Subject], report: &mut Report) -> Outcome<()> {
    for streams in &arguments.streams {
        for subject in subjects {
            let crowd = crowd::measure(subject, *streams, Duration::from_secs(arguments.seconds)).await?;
            eprintln!("round {round}: {streams} streams, {}: {crowd}", subject.name);
            report.add_crowd(subject, *streams, crowd);
        }
    }
    Ok(())
}
