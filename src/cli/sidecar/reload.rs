//! Loading again what changed on disk. What is wrong stays out of force: the last good one goes on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::sidecar::view::{Loaded, Looking};
use crate::cli::sidecar::{pacts, routes};
use crate::cli::with_causes;
use crate::config::{self, SecretSource, Watcher};
use crate::domain::{Digest, PactName};
use crate::pact::PactSet;
use crate::proxy::Proxy;
use crate::telemetry::Reloaded;

/// Watches the config file and everything that it names, until the drain begins.
pub(super) async fn follow(file: Option<PathBuf>, looking: Arc<Looking>, proxy: Arc<Proxy>) {
    let files = Files { file, looking, proxy };
    let mut paths = files.watched();
    let mut watcher = Watcher::start(paths.clone());
    if let Some(why) = watcher.hindrance() {
        tracing::warn!(
            "changes of pacts and config are noticed late, because files cannot be watched: {why}"
        );
    }
    // What changed between the first reading and the first look is found by reading once more.
    let mut changed = paths.clone();
    loop {
        let reading = files.clone();
        let read = tokio::task::spawn_blocking(move || reading.reload_config(&changed));
        if read.await.is_err() {
            return;
        }
        // Watched before they are read, so that a change in between is not missed.
        let now = files.watched();
        if now != paths {
            watcher.replace(now.clone());
            paths = now;
        }
        let reading = files.clone();
        if tokio::task::spawn_blocking(move || reading.reload_pacts()).await.is_err() {
            return;
        }
        // What was read may be newer than what the watcher has seen.
        changed = watcher.look().await;
        if changed.is_empty() {
            tokio::select! {
                () = files.proxy.drain.stopping() => return,
                found = watcher.changed() => changed = found,
            }
        }
    }
}

/// What is loaded again, and where it takes effect.
#[derive(Clone)]
struct Files {
    file: Option<PathBuf>,
    looking: Arc<Looking>,
    proxy: Arc<Proxy>,
}

impl Files {
    fn watched(&self) -> Vec<PathBuf> {
        let config = self.looking.config.load();
        let mut paths = config.pacts.clone();
        paths.extend(self.file.clone());
        let tokens = config.agents.iter().filter_map(|agent| agent.token.as_ref());
        let credentials =
            config.upstreams.iter().filter_map(|upstream| Some(&upstream.credential.as_ref()?.provided));
        paths.extend(tokens.chain(credentials).filter_map(|held| match &held.source {
            SecretSource::File(path) => Some(path.clone()),
            SecretSource::Env(_) => None,
        }));
        paths.extend(config.upstreams.iter().filter_map(|upstream| upstream.roots.clone()));
        paths
    }

    fn reload_pacts(&self) {
        let looking = &self.looking;
        let metrics = &looking.rooms.metrics;
        let paths = looking.config.load().pacts.clone();
        match pacts::load(&paths) {
            Ok((set, warnings)) => {
                let is_same = identity(&set) == identity(&looking.enforcer.pacts());
                if !found(&looking.pacts_loaded, None) && is_same {
                    return;
                }
                if !warnings.is_empty() {
                    tracing::warn!("{warnings}");
                }
                tracing::info!(pacts = set.len(), "pacts loaded");
                pacts::introduce(&set, metrics);
                looking.enforcer.replace_pacts(set);
                let at = looking.rooms.clock.now();
                looking.pacts_loaded.lock().unwrap_or_else(PoisonError::into_inner).at = at;
                metrics.reloaded(Reloaded::Pacts, true);
            }
            Err(why) => {
                let why = with_causes(&why);
                if found(&looking.pacts_loaded, Some(&why)) {
                    tracing::error!("changed pacts are not in force, the last good ones stay: {why}");
                    metrics.reloaded(Reloaded::Pacts, false);
                }
            }
        }
    }

    /// Upstreams, agents and pact paths change at once; everything else at the next start.
    fn reload_config(&self, changed: &[PathBuf]) {
        let Some(file) = &self.file else { return };
        let before = self.looking.config.load_full();
        let environment = |name: &str| std::env::var(name).ok();
        let (after, warnings) = match config::load_sidecar(file, &environment) {
            Ok(loaded) => loaded,
            Err(why) => return self.keep(&why.to_string()),
        };
        // The path of trust roots stays when what stands there changes.
        let roots = |path: &&Path| changed.iter().any(|changed| changed == path);
        let has_new_roots =
            after.upstreams.iter().filter_map(|one| one.roots.as_deref()).any(|path| roots(&path));
        let was_wrong = found(&self.looking.config_loaded, None);
        if after == *before && !has_new_roots && !was_wrong {
            return;
        }
        let routes = match routes::routes(&after.upstreams, &self.proxy.dialer) {
            Ok(routes) => routes,
            Err(why) => return self.keep(&with_causes(&why)),
        };
        if !warnings.is_empty() {
            tracing::warn!("{warnings}");
        }
        self.put_in_force(&before, after, routes);
    }

    fn put_in_force(&self, before: &config::Sidecar, after: config::Sidecar, routes: crate::proxy::Routes) {
        let (looking, proxy) = (&self.looking, &self.proxy);
        proxy.routes.store(Arc::new(routes));
        proxy.credentials.store(Arc::new(routes::credentials(&after.agents)));
        looking.rooms.metrics.know_upstreams(after.upstreams.iter().map(|upstream| &upstream.name));
        looking.rooms.metrics.reloaded(Reloaded::Config, true);
        let in_force = config::Sidecar {
            upstreams: after.upstreams.clone(),
            agents: after.agents.clone(),
            pacts: after.pacts.clone(),
            ..before.clone()
        };
        if in_force == after {
            tracing::info!("config loaded");
        } else {
            tracing::warn!(
                "config loaded; what changed beside upstreams, agents and pacts waits for a restart"
            );
        }
        looking.config.store(Arc::new(in_force));
    }

    fn keep(&self, why: &str) {
        if found(&self.looking.config_loaded, Some(why)) {
            tracing::error!("the changed config is not in force, the last good one stays: {why}");
            self.looking.rooms.metrics.reloaded(Reloaded::Config, false);
        }
    }
}

/// Notes what a reading found, and says whether that is news.
fn found(loaded: &Mutex<Loaded>, problem: Option<&str>) -> bool {
    let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
    let is_news = loaded.problem.as_deref() != problem;
    loaded.problem = problem.map(str::to_owned);
    is_news
}

fn identity(set: &PactSet) -> Vec<(&PactName, &str, &Digest)> {
    set.iter().map(|pact| (pact.name(), pact.file(), pact.digest())).collect()
}
