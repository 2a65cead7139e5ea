//! Print: a checked config as a file, with every default written out. Secrets appear as where they come from.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;

use crate::config::secret::{Provided, SecretSource};
use crate::config::sidecar::{ListenerMode, Sidecar, Sync, Trust, Upstream, WhenFull};
use crate::config::units::{print_duration, print_size};
use crate::telemetry::LogSettings;

/// A YAML value as it is printed.
enum Yaml {
    Plain(String),
    Text(String),
    /// Short enough for one line.
    Flow(Vec<(&'static str, Yaml)>),
    Row(Vec<Yaml>),
    List(Vec<Yaml>),
    Map(Vec<(&'static str, Yaml)>),
}

impl Sidecar {
    /// The effective config in YAML. Loading it gives the same config, in the same environment.
    #[must_use]
    pub fn print(&self) -> String {
        let mut map = vec![
            ("apiVersion", plain("pactgate.dev/v1")),
            ("kind", plain("Sidecar")),
            ("id", text(self.id.as_str())),
            ("data", path(&self.data)),
            ("pacts", Yaml::List(self.pacts.iter().map(|pact| path(pact)).collect())),
        ];
        let agents = self.agents.iter().map(|agent| {
            let token = agent.token.as_ref().map(|token| ("token", source(token)));
            Yaml::Flow([("id", text(agent.id.as_str()))].into_iter().chain(token).collect())
        });
        map.push(("agents", Yaml::List(agents.collect())));
        map.push(("listeners", Yaml::List(self.listeners.iter().map(listener).collect())));
        map.push(("upstreams", Yaml::List(self.upstreams.iter().map(upstream).collect())));
        if let Some(interception) = &self.interception {
            let except = interception.except.iter().map(|place| text(&place.to_string())).collect();
            let section = vec![("authority", path(&interception.authority)), ("except", Yaml::Row(except))];
            map.push(("interception", Yaml::Map(section)));
        }
        if let Some(link) = &self.collector {
            let key = base64::engine::general_purpose::STANDARD.encode(link.public_key);
            let mut section = vec![
                ("url", text(&link.url.to_string())),
                ("token", source(&link.token)),
                ("public_key", text(&key)),
            ];
            section.extend(link.roots.as_ref().map(|roots| ("roots", path(roots))));
            map.push(("collector", Yaml::Map(section)));
        }
        map.extend(self.rest());
        document(map)
    }

    fn rest(&self) -> Vec<(&'static str, Yaml)> {
        let trust = match self.trust {
            Trust::Fixed(tier) => vec![("fixed", plain(tier.name()))],
            Trust::Fed(rule) => {
                vec![("sink_after", time(rule.sink_after)), ("restrict_after", time(rule.restrict_after))]
            }
        };
        let sync = match self.evidence.sync {
            Sync::Each => "each",
            Sync::Batch => "batch",
            Sync::None => "none",
        };
        let when_full = match self.evidence.when_full {
            WhenFull::Deny => "deny",
            WhenFull::Drop => "drop",
        };
        let mut evidence = vec![
            ("sync", plain(sync)),
            ("bytes_max", size(self.evidence.bytes_max)),
            ("when_full", plain(when_full)),
        ];
        evidence.extend(self.evidence.key.as_ref().map(|(key, _)| ("key", source(key))));
        let approvals =
            vec![("patience", time(self.approvals.patience)), ("expire", time(self.approvals.expire))];
        let bounds = vec![
            ("body", size(self.bounds.body_bytes_max)),
            ("decoded", size(self.bounds.decoded_bytes_max)),
            ("header_bytes", size(self.bounds.header_bytes_max)),
            ("headers", plain(&self.bounds.headers_max.to_string())),
            ("connections", plain(&self.bounds.connections_max.to_string())),
            ("header_timeout", time(self.bounds.header_timeout)),
            ("body_timeout", time(self.bounds.body_timeout)),
            ("idle", time(self.bounds.idle)),
            ("drain", time(self.bounds.drain)),
        ];
        let admin =
            vec![("address", text(&self.admin.address.to_string())), ("socket", path(&self.admin.socket))];
        vec![
            ("trust", Yaml::Map(trust)),
            ("evidence", Yaml::Map(evidence)),
            ("approvals", Yaml::Map(approvals)),
            ("bounds", Yaml::Map(bounds)),
            ("admin", Yaml::Map(admin)),
            ("log", log(&self.log)),
        ]
    }
}

#[cfg(feature = "plane")]
impl crate::config::Collector {
    /// The effective config in YAML. Loading it gives the same config, in the same environment.
    #[must_use]
    pub fn print(&self) -> String {
        let sidecars = self.sidecars.iter().map(|sidecar| {
            Yaml::Flow(vec![("id", text(sidecar.id.as_str())), ("token", source(&sidecar.token))])
        });
        let operators = self.operators.iter().map(|operator| {
            Yaml::Flow(vec![("name", text(&operator.name)), ("token", source(&operator.token))])
        });
        let weights = self
            .weights
            .entries()
            .into_iter()
            .map(|(name, value)| (name, plain(&value.to_string())))
            .collect();
        document(vec![
            ("apiVersion", plain("pactgate.dev/v1")),
            ("kind", plain("Collector")),
            ("address", text(&self.address.to_string())),
            ("data", path(&self.data)),
            ("sidecars", Yaml::List(sidecars.collect())),
            ("operators", Yaml::List(operators.collect())),
            ("scoring", Yaml::Map(weights)),
            ("log", log(&self.log)),
        ])
    }
}

fn listener(listener: &crate::config::Listener) -> Yaml {
    let mode = match listener.mode {
        ListenerMode::Reverse => "reverse",
        ListenerMode::Forward => "forward",
    };
    let mut map = vec![("mode", plain(mode)), ("address", text(&listener.address.to_string()))];
    map.extend(listener.agent.as_ref().map(|agent| ("agent", text(agent.as_str()))));
    map.extend(listener.exposed.then(|| ("exposed", plain("true"))));
    Yaml::Flow(map)
}

fn upstream(upstream: &Upstream) -> Yaml {
    let mut map = vec![
        ("name", text(upstream.name.as_str())),
        ("url", text(&upstream.url.to_string())),
        ("dialect", plain(upstream.dialect.name())),
        ("provider", text(&upstream.provider)),
    ];
    if !upstream.betas.is_empty() {
        map.push(("betas", Yaml::Row(upstream.betas.iter().map(|beta| text(beta)).collect())));
    }
    if let Some(credential) = &upstream.credential {
        let (kind, from) = source_of(&credential.provided);
        let fields = vec![
            ("header", text(&credential.header)),
            ("prefix", text(&credential.prefix)),
            (kind, text(&from)),
        ];
        map.push(("credential", Yaml::Flow(fields)));
    }
    map.push(("private", plain(&upstream.private.to_string())));
    map.extend(upstream.roots.as_ref().map(|roots| ("roots", path(roots))));
    let timeouts = upstream.timeouts;
    let timeouts = vec![
        ("connect", time(timeouts.connect)),
        ("head", time(timeouts.head)),
        ("idle", time(timeouts.idle)),
    ];
    map.push(("timeouts", Yaml::Flow(timeouts)));
    Yaml::Map(map)
}

fn log(log: &LogSettings) -> Yaml {
    Yaml::Map(vec![("format", plain(log.format.name())), ("level", plain(log.level.name()))])
}

fn source(provided: &Provided) -> Yaml {
    let (kind, from) = source_of(provided);
    Yaml::Flow(vec![(kind, text(&from))])
}

fn source_of(provided: &Provided) -> (&'static str, String) {
    match &provided.source {
        SecretSource::Env(name) => ("env", name.clone()),
        SecretSource::File(file) => ("file", file.display().to_string()),
    }
}

fn plain(word: &str) -> Yaml {
    Yaml::Plain(word.to_owned())
}

fn text(words: &str) -> Yaml {
    Yaml::Text(words.to_owned())
}

fn path(path: &Path) -> Yaml {
    Yaml::Text(path.display().to_string())
}

fn time(time: std::time::Duration) -> Yaml {
    Yaml::Plain(print_duration(time))
}

fn size(bytes: u64) -> Yaml {
    Yaml::Plain(print_size(bytes))
}

fn document(map: Vec<(&'static str, Yaml)>) -> String {
    let mut out = String::new();
    Yaml::Map(map).block(0, &mut out);
    out
}

impl Yaml {
    /// Writes the value in lines of its own, each indented.
    fn block(&self, indent: usize, out: &mut String) {
        match self {
            Self::Map(members) => {
                for (place, (name, value)) in members.iter().enumerate() {
                    // The first member of a list's item stands behind its dash.
                    let lead = if place == 0 && out.ends_with("- ") { 0 } else { indent };
                    let _ = write!(out, "{:lead$}{name}:", "");
                    value.below(indent, out);
                }
            }
            Self::List(items) => {
                for item in items {
                    let _ = write!(out, "{:indent$}- ", "");
                    item.block(indent + 2, out);
                }
            }
            Self::Plain(_) | Self::Text(_) | Self::Flow(_) | Self::Row(_) => {
                let _ = writeln!(out, "{}", self.line());
            }
        }
    }

    /// Writes the value of a member behind its name.
    fn below(&self, indent: usize, out: &mut String) {
        match self {
            Self::List(items) if items.is_empty() => out.push_str(" []\n"),
            Self::Map(_) | Self::List(_) => {
                out.push('\n');
                self.block(indent + 2, out);
            }
            Self::Plain(_) | Self::Text(_) | Self::Flow(_) | Self::Row(_) => {
                out.push(' ');
                self.block(indent, out);
            }
        }
    }

    fn line(&self) -> String {
        let members = |members: &[(&'static str, Yaml)]| {
            let parts: Vec<_> =
                members.iter().map(|(name, value)| format!("{name}: {}", value.line())).collect();
            format!("{{{}}}", parts.join(", "))
        };
        match self {
            Self::Plain(word) => word.clone(),
            // A JSON string is a YAML string (YAML 1.2, section 7.3.1).
            Self::Text(words) => serde_json::to_string(words).unwrap_or_default(),
            Self::Flow(map) | Self::Map(map) => members(map),
            Self::Row(items) | Self::List(items) => {
                format!("[{}]", items.iter().map(Self::line).collect::<Vec<_>>().join(", "))
            }
        }
    }
}
