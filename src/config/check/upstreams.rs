//! Upstreams: where calls go, and with what.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use crate::config::check::Names;
use crate::config::notes::Notes;
use crate::config::place::WebAddress;
use crate::config::sidecar::{Credential, Timeouts, Upstream};
use crate::config::source::{CredentialFile, DialectFile, SidecarFile, TimeoutsFile, UpstreamFile};
use crate::domain::{Dialect, UpstreamName};
use crate::pact::document::Place;
use crate::pact::reader::At;

const NAME_REMEDY: &str = "use lower-case letters, digits and `-`, at most 63";
const URL_REMEDY: &str = "write the base URL: `https://api.openai.com`";
const DIALECT_REMEDY: &str =
    "write `dialect: openai`, `anthropic`, `gemini`, `bedrock`, `mcp`, `a2a` or `http`";
/// Betas that one upstream lists, and bytes of each one's name.
const BETAS_MAX: usize = 64;
const BETA_BYTES_MAX: usize = 128;
const TIME_MIN: Duration = Duration::from_millis(10);
const TIME_MAX: Duration = Duration::from_secs(3_600);

/// Headers that the sidecar sets itself, or that frame the message.
const HEADERS_NOT_FREE: [&str; 12] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
    "keep-alive",
];

pub(super) fn upstreams(file: &SidecarFile, own: &[SocketAddr], notes: &mut Notes<'_>) -> Vec<Upstream> {
    let written = file.upstreams.as_ref().and_then(At::get).map(Vec::as_slice).unwrap_or_default();
    let mut names = Names::new("upstream");
    let mut upstreams: Vec<Upstream> = Vec::new();
    for (place, file) in written.iter().filter_map(At::read) {
        let Some(upstream) = upstream(place, file, &mut names, own, notes) else { continue };
        if let Some(other) = upstreams.iter().find(|other| other.url == upstream.url) {
            let said = format!("upstream `{}` is at the same place as `{}`", upstream.name, other.name);
            let remedy = "keep one: calls through a forward listener could not tell them apart";
            notes.error(file.url.as_ref().map_or(place, |at| &at.place), said, remedy);
        }
        upstreams.push(upstream);
    }
    upstreams
}

fn upstream(
    place: &Place,
    file: &UpstreamFile,
    names: &mut Names,
    own: &[SocketAddr],
    notes: &mut Notes<'_>,
) -> Option<Upstream> {
    notes.required(&file.name, place, "name", NAME_REMEDY);
    notes.required(&file.url, place, "url", URL_REMEDY);
    notes.required(&file.dialect, place, "dialect", DIALECT_REMEDY);
    let name = file.name.as_ref().and_then(|name| {
        let parsed = notes.parsed::<UpstreamName>(name, NAME_REMEDY)?;
        names.check(&name.place, parsed.as_str(), notes);
        Some(parsed)
    });
    let url = file.url.as_ref().and_then(|url| web_address(url, own, URL_REMEDY, notes));
    let dialect = file.dialect.as_ref().and_then(At::get).map(|dialect| match dialect {
        DialectFile::OpenAi => Dialect::OpenAi,
        DialectFile::Anthropic => Dialect::Anthropic,
        DialectFile::Gemini => Dialect::Gemini,
        DialectFile::Bedrock => Dialect::Bedrock,
        DialectFile::Mcp => Dialect::Mcp,
        DialectFile::A2a => Dialect::A2a,
        DialectFile::Http => Dialect::Http,
    });
    let provider = provider(file, dialect, notes);
    let betas = betas(file, dialect, notes);
    let credential = file.credential.as_ref().map(|at| credential(at, url.as_ref(), notes));
    let roots = file.roots.as_ref().and_then(|roots| roots_file(roots, notes));
    let timeouts = timeouts(file.timeouts.as_ref().and_then(At::get), notes);
    let (url, credential) = (url?, credential.map_or(Some(None), |found| found.map(Some))?);
    if let (Some(roots), "http") = (&file.roots, url.scheme.as_str()) {
        notes.warning(
            &roots.place,
            "`roots` changes nothing without TLS",
            "use an `https` URL, or leave it out",
        );
    }
    let private = file.private.as_ref().and_then(At::get).copied().unwrap_or_else(|| url.is_literal());
    Some(Upstream {
        name: name?,
        dialect: dialect?,
        provider: provider?,
        betas,
        credential,
        private,
        roots,
        timeouts,
        url,
    })
}

/// Reads an address that the sidecar goes to; one of its own would be a loop, or a way around a credential.
pub(super) fn web_address(
    field: &At<String>,
    own: &[SocketAddr],
    remedy: &str,
    notes: &mut Notes<'_>,
) -> Option<WebAddress> {
    let (place, text) = field.read()?;
    match WebAddress::parse(text) {
        Ok(address) => {
            if let Some(own) = own.iter().find(|own| address.leads_to(**own)) {
                let said = format!("`{address}` leads back to this sidecar, which listens at `{own}`");
                notes.error(place, said, "write the address of the other side");
            }
            Some(address)
        }
        Err(problem) => {
            notes.error(place, problem, remedy);
            None
        }
    }
}

fn provider(file: &UpstreamFile, dialect: Option<Dialect>, notes: &mut Notes<'_>) -> Option<String> {
    let Some(field) = &file.provider else { return dialect.map(|dialect| dialect.name().to_owned()) };
    let (place, text) = field.read()?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || text.len() > 63 || !text.bytes().all(is_name) {
        let remedy =
            "use letters, digits, `-`, `_` and `.`, at most 63: it stands before the `/` of model names";
        notes.error(place, format!("`{text}` is no name for a provider"), remedy);
        return None;
    }
    Some(text.clone())
}

/// The betas that may be switched on, as a header names them.
fn betas(file: &UpstreamFile, dialect: Option<Dialect>, notes: &mut Notes<'_>) -> Vec<String> {
    let Some((place, written)) = file.betas.as_ref().and_then(At::read) else { return Vec::new() };
    if dialect
        .is_some_and(|dialect| !matches!(dialect, Dialect::OpenAi | Dialect::Anthropic | Dialect::Bedrock))
    {
        let said = "`betas` changes nothing: this dialect has none";
        notes.warning(place, said, "leave it out, or write `dialect: anthropic`, `openai` or `bedrock`");
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=');
    let mut betas: Vec<String> = Vec::new();
    for (place, beta) in written.iter().filter_map(At::read) {
        if beta.is_empty() || beta.len() > BETA_BYTES_MAX || !beta.bytes().all(is_name) {
            let remedy = "write each as the header does: `context-management-2025-06-27`";
            notes.error(place, format!("`{beta}` is no name of a beta"), remedy);
        } else if betas.contains(beta) {
            notes.error(place, format!("beta `{beta}` stands twice"), "name it once");
        } else if betas.len() == BETAS_MAX {
            notes.error(place, format!("more than {BETAS_MAX} betas"), "name those that agents need");
            break;
        } else {
            betas.push(beta.clone());
        }
    }
    betas
}

fn credential(
    at: &At<CredentialFile>,
    url: Option<&WebAddress>,
    notes: &mut Notes<'_>,
) -> Option<Credential> {
    let (place, file) = at.read()?;
    let provided = notes.secret_of(place, file.env.as_ref(), file.file.as_ref());
    let header = match file.header.as_ref() {
        None => Some("authorization".to_owned()),
        Some(field) => field.read().and_then(|(place, text)| header(place, text, notes)),
    };
    let prefix = file.prefix.as_ref().and_then(At::read);
    if let Some((place, text)) =
        prefix.filter(|(_, text)| !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()))
    {
        notes.error(place, format!("`{text}` cannot stand in a header"), "use printable ASCII");
    }
    if url.is_some_and(|url| url.scheme == "http" && !url.is_loopback()) {
        let said = "the credential travels unencrypted to another machine";
        notes.warning(place, said, "use an `https` URL");
    }
    let header = header?;
    let prefix = match prefix {
        Some((_, text)) => text.clone(),
        None if header == "authorization" => "Bearer ".to_owned(),
        None => String::new(),
    };
    Some(Credential { header, prefix, provided: provided? })
}

fn header(place: &Place, text: &str, notes: &mut Notes<'_>) -> Option<String> {
    let name = HeaderName::from_bytes(text.as_bytes()).ok().map(|name| name.as_str().to_owned());
    match name {
        None => {
            notes.error(
                place,
                format!("`{text}` is not the name of a header"),
                "write `authorization` or `x-api-key`",
            );
            None
        }
        Some(name) if HEADERS_NOT_FREE.contains(&name.as_str()) => {
            let said = format!("header `{name}` belongs to the message itself");
            notes.error(place, said, "write `authorization` or `x-api-key`");
            None
        }
        name => name,
    }
}

/// A file of trust roots that can be read now. Its content is judged where TLS is set up.
pub(super) fn roots_file(field: &At<String>, notes: &mut Notes<'_>) -> Option<PathBuf> {
    let (place, text) = field.read()?;
    let path = notes.path(text);
    if let Err(error) = std::fs::File::open(&path) {
        let said = format!("file `{}` cannot be read: {error}", path.display());
        notes.error(place, said, "write the path of a PEM file with certificates");
    }
    Some(path)
}

fn timeouts(file: Option<&TimeoutsFile>, notes: &mut Notes<'_>) -> Timeouts {
    let seconds = Duration::from_secs;
    let mut time = |field: Option<&At<_>>, default| notes.duration(field, default, TIME_MIN..=TIME_MAX);
    Timeouts {
        connect: time(file.and_then(|file| file.connect.as_ref()), seconds(5)),
        head: time(file.and_then(|file| file.head.as_ref()), seconds(120)),
        idle: time(file.and_then(|file| file.idle.as_ref()), seconds(300)),
    }
}
