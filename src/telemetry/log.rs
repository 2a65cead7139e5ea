//! Log: one event, one line, in JSON for machines or in text for people.

use std::io::{IsTerminal as _, Write};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The variable that overrides the configured level: `debug`, or `info,pactgate::link=trace`.
const FILTER_VARIABLE: &str = "PACTGATE_LOG";

/// The shape of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    #[default]
    Json,
    /// Words, in color on a terminal.
    Text,
}

/// The least severe level that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// A person must act.
    Error,
    /// Something is not as it should be, and goes on.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// The shape of a line.
    pub format: Format,
    /// The level, where the environment does not say otherwise.
    pub level: Level,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The variable that overrides the level makes no sense.
    #[error(
        "`{FILTER_VARIABLE}` is `{text}`, which is not a level such as `info` or `info,pactgate::link=debug`"
    )]
    Filter {
        /// What it says.
        text: String,
        /// Why not.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else logs already.
    #[error("the log was started twice")]
    Twice,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Json, Self::Text];

    /// The name used in config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

impl Level {
    /// Every level, most severe first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The name used in config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Starts the log of this process, on standard error. `PACTGATE_LOG` overrides the level.
///
/// # Errors
/// [`LogError`] when that variable makes no sense, or the log was started before.
pub fn start(settings: &LogSettings, env: &dyn Fn(&str) -> Option<String>) -> Result<(), LogError> {
    let is_colored =
        settings.format == Format::Text && std::io::stderr().is_terminal() && env("NO_COLOR").is_none();
    let filter = filter(settings.level, env(FILTER_VARIABLE))?;
    subscriber(settings.format, filter, is_colored, std::io::stderr).try_init().map_err(|_| LogError::Twice)
}

fn filter(level: Level, said: Option<String>) -> Result<EnvFilter, LogError> {
    match said.filter(|text| !text.is_empty()) {
        Some(text) => EnvFilter::try_new(&text).map_err(|source| LogError::Filter { text, source }),
        None => Ok(EnvFilter::new(level.name())),
    }
}

fn subscriber<W>(
    format: Format,
    filter: EnvFilter,
    is_colored: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer();
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Format::Json => {
            let json = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(registry.with(json.with_writer(writer)))
        }
        Format::Text => {
            Box::new(registry.with(layer.with_ansi(is_colored).with_writer(OneLine { writer, is_colored })))
        }
    }
}

/// Keeps each event on its own line and spells out control characters, so that text from outside can neither
/// pass for a line of ours nor command a terminal. The layer hands over each event in one piece.
struct OneLine<W> {
    writer: W,
    is_colored: bool,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine { writer: self.writer.make_writer(), is_colored: self.is_colored }
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        let mut line = Vec::with_capacity(event.len() + 16);
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            let color = if self.is_colored { color_length(rest) } else { None };
            rest = match color.and_then(|length| rest.split_at_checked(length)) {
                Some((sequence, after)) => {
                    line.extend_from_slice(sequence);
                    after
                }
                None => {
                    if first.is_ascii_control() {
                        line.extend(first.escape_ascii());
                    } else {
                        line.push(*first);
                    }
                    after
                }
            };
        }
        line.push(b'\n');
        self.writer.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// The length of the color sequence (ECMA-48, `SGR`) that the text begins with; `None` when it begins otherwise.
fn color_length(text: &[u8]) -> Option<usize> {
    let parameters = text.strip_prefix(b"\x1b[")?;
    let digits = parameters.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
    (parameters.get(digits) == Some(&b'm')).then_some(digits + 3)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, event: impl FnOnce()) -> String {
        logged_in(format, false, event)
    }

    fn logged_in(format: Format, is_colored: bool, event: impl FnOnce()) -> String {
        let page = Page::default();
        let filter = filter(Level::Info, None).unwrap();
        let writer = page.clone();
        let subscriber = subscriber(format, filter, is_colored, move || writer.clone());
        tracing::subscriber::with_default(subscriber, event);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn each_event_is_one_line_whatever_it_says() {
        let hostile = "a\nINFO fake line\r\n\u{1b}[31mred";
        for format in Format::ALL {
            let text = logged(format, || tracing::info!(said = %hostile, "a request was refused"));
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
            assert!(text.ends_with('\n') && text.contains("a request was refused"), "{text}");
        }
    }

    #[test]
    fn text_from_outside_commands_no_terminal() {
        let hostile = "a\n\u{1b}[2J\u{1b}]0;title\u{7}";
        let text = logged_in(Format::Text, true, || tracing::info!(said = %hostile, "hello"));
        assert!(text.contains("\u{1b}["), "our own color remains: {text:?}");
        for forbidden in ["\u{1b}[2J", "\u{1b}]", "\u{7}"] {
            assert!(!text.contains(forbidden), "{text:?}");
        }
        assert_eq!(text.lines().count(), 1, "{text:?}");
    }

    #[test]
    fn json_lines_are_flat_objects() {
        let text = logged(Format::Json, || tracing::warn!(agent.id = "a", "hello"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "hello");
        assert_eq!(line["agent.id"], "a");
        assert_eq!(line["level"], "WARN");
    }

    #[test]
    fn the_level_holds_unless_the_environment_says_otherwise() {
        assert_eq!(logged(Format::Text, || tracing::debug!("not now")), "");
        assert_eq!(filter(Level::Info, Some("debug".to_owned())).unwrap().to_string(), "debug");
        assert_eq!(filter(Level::Warn, Some(String::new())).unwrap().to_string(), "warn");
        let error = filter(Level::Info, Some("pactgate=loud".to_owned())).unwrap_err();
        assert!(error.to_string().starts_with("`PACTGATE_LOG` is `pactgate=loud`"), "{error}");
    }
}
