//! Secret: credentials, named in the config and kept outside of it.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;

use crate::config::notes::Notes;
use crate::config::source::SecretFile;
use crate::domain::Secret;
use crate::pact::document::Place;
use crate::pact::reader::At;

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 16 * 1_024;

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file. White space at its end does not count.
    File(PathBuf),
}

/// A secret and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// The secret itself: printable ASCII, not empty.
    pub secret: Secret,
    /// Where it came from: what is printed in its place.
    pub source: SecretSource,
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
        }
    }
}

impl Notes<'_> {
    /// Fetches a secret; what is wrong with it is noted, and its text never is.
    pub(super) fn secret(&mut self, field: &At<SecretFile>) -> Option<Provided> {
        let (place, SecretFile { env, file }) = field.read()?;
        self.secret_of(place, env.as_ref(), file.as_ref())
    }

    /// The same for a secret whose source stands among other fields.
    pub(super) fn secret_of(
        &mut self,
        place: &Place,
        env: Option<&At<String>>,
        file: Option<&At<String>>,
    ) -> Option<Provided> {
        let remedy = "write either `env: NAME` or `file: PATH`";
        let (place, source) = match (env, file) {
            (Some(env), None) => {
                let (place, name) = env.read()?;
                if !is_variable(name) {
                    // What stands here may be the secret itself.
                    let said = "this is not the name of an environment variable";
                    self.error(
                        place,
                        said,
                        "write the variable's name, such as `OPENAI_API_KEY`, never the secret",
                    );
                    return None;
                }
                (place, SecretSource::Env(name.clone()))
            }
            (None, Some(file)) => {
                file.read().map(|(place, path)| (place, SecretSource::File(self.path(path))))?
            }
            (None, None) => {
                self.error(place, "the secret has no source", remedy);
                return None;
            }
            (Some(_), Some(_)) => {
                self.error(place, "the secret has two sources", remedy);
                return None;
            }
        };
        match self.fetch(&source) {
            Ok(secret) => Some(Provided { secret, source }),
            Err(problem) => {
                let remedy = match &source {
                    SecretSource::Env(name) => format!("set `{name}` in the environment of this process"),
                    SecretSource::File(_) => "put the secret there, readable by this process".to_owned(),
                };
                self.error(place, format!("{source} {problem}"), remedy);
                None
            }
        }
    }

    fn fetch(&self, source: &SecretSource) -> Result<Secret, String> {
        let text = match source {
            SecretSource::Env(name) => (self.env)(name).ok_or("is not set")?,
            SecretSource::File(path) => {
                let mut text = String::new();
                let bound = SECRET_BYTES_MAX as u64 + 1;
                std::fs::File::open(path)
                    .and_then(|file| file.take(bound).read_to_string(&mut text))
                    .map_err(|error| format!("cannot be read: {error}"))?;
                text
            }
        };
        let text = Secret::new(text);
        let trimmed = text.expose().trim_end();
        if trimmed.is_empty() {
            return Err("is empty".to_owned());
        }
        if trimmed.len() > SECRET_BYTES_MAX {
            return Err(format!("is longer than {SECRET_BYTES_MAX} bytes"));
        }
        if !trimmed.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err("holds characters other than printable ASCII".to_owned());
        }
        Ok(Secret::new(trimmed.to_owned()))
    }
}

/// Whether this can be the name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_start)
        && name.bytes().all(|byte| is_start(byte) || byte.is_ascii_digit())
}
