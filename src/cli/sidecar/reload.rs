//! Loading again what changed on disk. What is wrong stays out of force: the last good one goes on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use crate::cli::sidecar::view::{Loaded, Looking};
use crate::cli::sidecar::{pacts, routes};
use crate::cli::with_causes;
use crate::config::{self, SecretSource, Watcher};
use crate::proxy::Proxy;
use crate::telemetry::Reloaded;

/// Watches the config file and everything that it names, until the drain begins.
pub(super) async fn follow(file: Option<PathBuf>, looking: Arc<Looking>, proxy: Arc<Proxy>) {
    let mut watcher = match Watcher::start(watched(file.as_deref(), &looking)) {
        Ok(watcher) => watcher,
        Err(why) => {
            tracing::error!("changes of pacts and config are not noticed: {}", with_causes(&why));
            return;
        }
    };
    let mut paths = watched(file.as_deref(), &looking);
    loop {
        tokio::select! {
            () = proxy.drain.stopping() => return,
            _ = watcher.changed() => {}
        }
        if let Some(file) = &file {
            reload_config(file, &looking, &proxy);
        }
        // Watched before they are read, so that a change in between is not missed.
        let now = watched(file.as_deref(), &looking);
        if now != paths {
            watcher.replace(now.clone());
            paths = now;
        }
        reload_pacts(&looking);
    }
}

fn watched(file: Option<&Path>, looking: &Looking) -> Vec<PathBuf> {
    let config = looking.config.load();
    let mut paths = config.pacts.clone();
    paths.extend(file.map(Path::to_owned));
    let tokens = config.agents.iter().filter_map(|agent| agent.token.as_ref());
    let credentials = config.upstreams.iter().filter_map(|upstream| Some(&upstream.credential.as_ref()?.provided));
    paths.extend(tokens.chain(credentials).filter_map(|held| match &held.source {
        SecretSource::File(path) => Some(path.clone()),
        SecretSource::Env(_) => None,
    }));
    paths.extend(config.upstreams.iter().filter_map(|upstream| upstream.roots.clone()));
    paths
}

fn reload_pacts(looking: &Looking) {
    let paths = looking.config.load().pacts.clone();
    let metrics = &looking.rooms.metrics;
    let problem = match pacts::load(&paths) {
        Ok((set, warnings)) => {
            if !warnings.is_empty() {
                tracing::warn!("{warnings}");
            }
            tracing::info!(pacts = set.len(), "pacts loaded");
            pacts::introduce(&set, metrics);
            looking.enforcer.replace_pacts(set);
            None
        }
        Err(why) => {
            let why = with_causes(&why);
            tracing::error!("changed pacts are not in force, the last good ones stay: {why}");
            Some(why)
        }
    };
    metrics.reloaded(Reloaded::Pacts, problem.is_none());
    let mut loaded = looking.loaded.lock().unwrap_or_else(PoisonError::into_inner);
    let at = if problem.is_none() { looking.rooms.clock.now() } else { loaded.at };
    *loaded = Loaded { at, problem };
}

/// Upstreams, agents and pact paths change at once; everything else at the next start.
fn reload_config(file: &Path, looking: &Looking, proxy: &Proxy) {
    let before = looking.config.load_full();
    let environment = |name: &str| std::env::var(name).ok();
    let after = match config::load_sidecar(file, &environment) {
        Ok((after, _)) => after,
        Err(why) => return keep(looking, &why.to_string()),
    };
    if after == *before {
        return;
    }
    let routes = match routes::routes(&after.upstreams, &proxy.dialer) {
        Ok(routes) => routes,
        Err(why) => return keep(looking, &with_causes(&why)),
    };
    proxy.routes.store(Arc::new(routes));
    proxy.credentials.store(Arc::new(routes::credentials(&after.agents)));
    looking.rooms.metrics.know_upstreams(after.upstreams.iter().map(|upstream| &upstream.name));
    looking.rooms.metrics.reloaded(Reloaded::Config, true);
    let in_force = config::Sidecar {
        upstreams: after.upstreams.clone(),
        agents: after.agents.clone(),
        pacts: after.pacts.clone(),
        ..(*before).clone()
    };
    if in_force == after {
        tracing::info!("config loaded");
    } else {
        tracing::warn!("config loaded; what changed beside upstreams, agents and pacts waits for a restart");
    }
    looking.config.store(Arc::new(in_force));
}

fn keep(looking: &Looking, why: &str) {
    tracing::error!("the changed config is not in force, the last good one stays: {why}");
    looking.rooms.metrics.reloaded(Reloaded::Config, false);
}
