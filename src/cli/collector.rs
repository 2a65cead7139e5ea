//! `pactgate collector`: starts a collector and its operations center, and sees them to their end.

use std::fs::{File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::center::{self, Center};
use crate::cli::{role, with_causes};
use crate::collector::{self, KeyFileError, Plane, Settings};
use crate::config;
use crate::domain::{SharedClock, SystemClock};
use crate::net::{BindError, Drain, Drained, Listener};
use crate::pact::Diagnostics;
use crate::store::{Store, StoreError};
use crate::wire::{PublicKey, Roster};

/// Arguments of `pactgate collector`.
#[derive(Debug, clap::Args)]
pub struct CollectorArgs {
    /// The collector's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration, print it as it takes effect, and stop.
    #[arg(long)]
    check: bool,
}

/// Reads the config, then serves until SIGTERM or SIGINT.
#[must_use]
pub fn run(args: &CollectorArgs) -> ExitCode {
    let environment = |name: &str| std::env::var(name).ok();
    let (config, warnings) = match config::load_collector(&args.config, &environment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    if args.check {
        if !warnings.is_empty() {
            eprintln!("{warnings}");
        }
        print!("{}", config.print());
        return ExitCode::SUCCESS;
    }
    role::run(&config.log.clone(), &environment, serve(settings(config), warnings))
}

/// The collector's settings, from its config.
#[must_use]
pub fn settings(config: config::Collector) -> Settings {
    let mut settings = Settings::new(config.address, config.data);
    settings.sidecars = config.sidecars.into_iter().map(|one| (one.id, one.token.secret)).collect();
    settings.operators = config.operators.into_iter().map(|one| (one.name, one.token.secret)).collect();
    settings.weights = config.weights;
    settings
}

async fn serve(settings: Settings, warnings: Diagnostics) -> ExitCode {
    role::warn(&warnings);
    let drain = Drain::default();
    let running = match start(settings, SystemClock::shared(), drain.clone()).await {
        Ok(running) => running,
        Err(why) => {
            tracing::error!("{}", with_causes(&why));
            return ExitCode::FAILURE;
        }
    };
    role::told_to_stop().await;
    drain.begin();
    role::tell(running.stopped().await);
    ExitCode::SUCCESS
}

/// Why a collector did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The weights contradict each other.
    #[error("the weights cannot be used: {}", .0.join("; "))]
    Weights(Vec<String>),
    /// Two callers could not be told apart.
    #[error("`{0}` and another entry have the same token: give each its own")]
    SharedToken(String),
    /// The data folder.
    #[error("cannot use the folder `{}`: check that it can be made and written to", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// Two collectors on one folder would contradict each other under one key.
    #[error("another collector uses the folder `{}`: stop it, or give this one its own", .0.display())]
    Taken(PathBuf),
    /// The signing key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The database.
    #[error("cannot open the database `{}`", .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: StoreError,
    },
    /// A metric, which is a defect.
    #[error("the metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
    /// The address.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// A collector at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens: the port is the true one, also where the settings said 0.
    pub address: SocketAddr,
    /// What sidecars need to check its statements.
    pub public_key: PublicKey,
    store: Store,
    drain: Drain,
    patience: Duration,
    /// Held as long as the collector lives; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

/// Starts a collector: data folder, signing key, database, routes, socket. It stops when `drain` begins; then
/// [`Running::stopped`] is to be awaited.
///
/// # Errors
/// When anything of that cannot be had; nothing is left running then.
pub async fn start(settings: Settings, clock: SharedClock, drain: Drain) -> Result<Running, StartError> {
    check(&settings)?;
    let lock = take_folder(&settings.data)?;
    let key = collector::open_signing_key(&settings.data)?;
    let public_key = *key.public();
    let path = settings.data.join("collector.db");
    let store = Store::open(&path, settings.weights, clock.now())
        .await
        .map_err(|why| StartError::Store { path: path.clone(), why })?;
    let listener = Listener::bind(settings.address)?;
    let address = listener.address();
    let sidecars = Arc::new(Roster::new(settings.sidecars));
    let operators = Arc::new(Roster::new(settings.operators));
    let center = Arc::new(Center {
        store: store.clone(),
        operators: Arc::clone(&operators),
        sidecars: Arc::clone(&sidecars),
        clock: Arc::clone(&clock),
        drain: drain.clone(),
        patience: settings.patience,
    });
    let plane = Plane::new(
        store.clone(),
        sidecars,
        operators,
        key,
        clock,
        drain.clone(),
        settings.heartbeat,
        settings.patience,
    )?;
    let routes = collector::router(Arc::clone(&plane)).merge(center::router(center));
    let routes = collector::surface(routes, settings.patience);
    drain.spawn(collector::upkeep(plane));
    drain.spawn(collector::serve(routes, listener, settings.connections_max, drain.clone()));
    tracing::info!(%address, key = %public_key.id(), public_key = %public_key, "the collector listens");
    Ok(Running { address, public_key, store, drain, patience: settings.drain, _lock: lock })
}

impl Running {
    /// Waits for the drain to begin, sees what is under way to its end, and closes the database.
    pub async fn stopped(self) -> Drained {
        self.drain.stopping().await;
        let drained = self.drain.finish(self.patience).await;
        self.store.close().await;
        drained
    }
}

fn check(settings: &Settings) -> Result<(), StartError> {
    let problems = settings.weights.problems();
    if !problems.is_empty() {
        return Err(StartError::Weights(problems));
    }
    let sidecars = settings.sidecars.iter().map(|(id, token)| (id.as_str(), token));
    let operators = settings.operators.iter().map(|(name, token)| (name.as_str(), token));
    let mut seen = std::collections::BTreeSet::new();
    for (name, token) in sidecars.chain(operators) {
        if !seen.insert(token.expose()) {
            return Err(StartError::SharedToken(name.to_owned()));
        }
    }
    Ok(())
}

/// Makes the data folder, for its owner only, and keeps other collectors out of it.
fn take_folder(path: &Path) -> Result<File, StartError> {
    let folder = |why| StartError::Folder { path: path.to_owned(), why };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(folder)?;
    let lock = File::create(path.join("lock")).map_err(folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::Taken(path.to_owned())),
        Err(TryLockError::Error(why)) => Err(folder(why)),
    }
}
