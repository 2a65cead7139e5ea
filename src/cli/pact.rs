//! `pactgate pact`: checks pacts, explains verdicts, runs pact tests.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::with_causes;
use crate::domain::{AgentId, Clock as _, SystemClock, Timestamp, TrustTier};
use crate::pact::diagnostics::{Diagnostics, File};
use crate::pact::{self, Facts, Pact, PactSet, document};
use crate::rehearsal;

/// What to do with pacts.
#[derive(Debug, clap::Subcommand)]
pub enum PactCommand {
    /// Tells everything that is wrong with pacts, and whether they can be in force together
    Check {
        /// Pacts, or folders of pacts
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Tells what a pact says of a call, and for each clause why it does or does not match
    Explain {
        /// The pact
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The call, as a file or written out: `{"tool": "payments.refund", "args": {"amount": 80}}`
        #[arg(long, value_name = "CALL")]
        call: String,
        /// Who calls; by default an agent that the pact governs
        #[arg(long, value_name = "AGENT")]
        agent: Option<String>,
        /// The agent's trust tier
        #[arg(long, value_name = "TIER", default_value = "probation", value_parser = parse_tier)]
        tier: TrustTier,
        /// When it calls, such as `2026-11-18T10:00:00Z`; now by default
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        at: Option<Timestamp>,
    },
    /// Runs every `*.test.yaml` below a folder
    Test {
        /// The folder
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Prints the JSON Schema of a pact, for editors
    Schema,
}

/// Does it, and prints what came of it. Exit code 1 when a pact is wrong or a test failed.
#[must_use]
pub fn run(command: PactCommand) -> ExitCode {
    let outcome = match command {
        PactCommand::Check { files } => check(&files),
        PactCommand::Explain { file, call, agent, tier, at } => {
            let at = at.unwrap_or_else(|| SystemClock::new().now());
            explain(&file, &call, agent.as_deref(), tier, at)
        }
        PactCommand::Test { dir } => test(&dir),
        PactCommand::Schema => schema(),
    };
    match outcome {
        Ok((text, code)) => {
            // Whoever reads may have read enough: `pactgate pact schema | head`.
            let _ = writeln!(std::io::stdout(), "{text}");
            code
        }
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(String, ExitCode), Box<dyn Error>>;

fn check(paths: &[PathBuf]) -> Outcome {
    let mut found = Diagnostics::default();
    let mut pacts = Vec::new();
    for path in paths {
        for file in rehearsal::pacts_below(path)? {
            match pact::load(file.name(), file.text()) {
                Ok(loaded) => {
                    found.extend(loaded.warnings);
                    pacts.push(loaded.pact);
                }
                Err(wrong) => found.extend(wrong),
            }
        }
    }
    let summaries: Vec<String> = pacts.iter().map(summary).collect();
    if let Err(wrong) = PactSet::build(pacts) {
        found.extend(wrong);
    }
    if found.has_errors() {
        return Err(found.into());
    }
    if !found.is_empty() {
        eprintln!("{found}\n");
    }
    match summaries.is_empty() {
        true => Err("no pacts found: a pact is a YAML file that says `kind: Pact`".into()),
        false => Ok((summaries.join("\n"), ExitCode::SUCCESS)),
    }
}

fn summary(pact: &Pact) -> String {
    let (clauses, limits) = (pact.clauses().len(), pact.limits().len());
    let agents = pact.agents().collect::<Vec<_>>().join(", ");
    format!(
        "{}: pact {} is well; clauses: {clauses}, limits: {limits}, agents: {agents}",
        pact.file(),
        pact.name()
    )
}

fn explain(file: &Path, call: &str, agent: Option<&str>, tier: TrustTier, at: Timestamp) -> Outcome {
    let file = rehearsal::read_file(file)?;
    let loaded = pact::load(file.name(), file.text())?;
    let call = if call.trim_start().starts_with('{') {
        File::new("--call", call)
    } else {
        rehearsal::read_file(Path::new(call))?
    };
    let node = document::read(&call).map_err(Diagnostics::from)?;
    let action = rehearsal::read_call(&call, &node).map_err(Diagnostics::from)?;
    let agent = match agent {
        Some(agent) => AgentId::new(agent)?,
        None => some_agent(&loaded.pact)?,
    };
    if !loaded.pact.governs(&agent) {
        return Err(format!(
            "pact `{}` does not govern agent `{agent}`; name another by --agent",
            loaded.pact.name()
        )
        .into());
    }
    let facts = Facts { agent: &agent, tier, at };
    Ok((pact::explain(&loaded.pact, &action, &facts).to_string(), ExitCode::SUCCESS))
}

/// An agent that the pact governs, for whom it makes no difference which one.
fn some_agent(pact: &Pact) -> Result<AgentId, Box<dyn Error>> {
    let pattern = pact.agents().next().unwrap_or("*");
    Ok(AgentId::new(&pattern.replace("**", "any").replace('*', "any"))?)
}

fn test(dir: &Path) -> Outcome {
    let report = rehearsal::run(dir)?;
    let code = if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok((report.to_string(), code))
}

fn schema() -> Outcome {
    Ok((serde_json::to_string_pretty(&pact::schema())?, ExitCode::SUCCESS))
}

fn parse_tier(text: &str) -> Result<TrustTier, String> {
    let names = TrustTier::ALL.map(TrustTier::name).join(", ");
    TrustTier::parse(text).ok_or_else(|| format!("write one of {names}"))
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "write a time such as 2026-11-18T10:00:00Z".to_owned())
}
