//! The card of an agent: what it can do, and at which addresses. Told so that whoever follows it stays inside.
//!
//! A card that is changed has no valid signature any more, so the signatures are taken out with the change. Whoever
//! has to check them fetches the card where it is passed on unchanged: through a forward listener.

use crate::classify::Problem;
use crate::classify::address::{normalize_host, normalize_path};
use crate::classify::fault::Fault;
use crate::classify::strict_json::known_spelling;
use crate::domain::Json;

const ENVELOPE: [&str; 4] = ["jsonrpc", "id", "result", "error"];

const CARD: [&str; 7] = [
    "url",
    "preferredTransport",
    "additionalInterfaces",
    "supportedInterfaces",
    "securitySchemes",
    "security",
    "signatures",
];

const INTERFACE: [&str; 5] = ["url", "transport", "protocolBinding", "protocolVersion", "tenant"];

/// The bindings that are read on their way. gRPC cannot be sent below a path.
const BINDINGS: [&str; 2] = ["JSONRPC", "HTTP+JSON"];

/// The card of an agent, as it is going to be told.
#[derive(Clone, Debug)]
pub struct AgentCard {
    carrier: Carrier,
    /// `None` where it is passed on as it is.
    doors: Option<Vec<Door>>,
}

/// What a card stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::classify) enum Carrier {
    /// It is the body.
    Body,
    /// It is the result of a JSON-RPC call.
    Result,
}

/// A way through the sidecar to one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// `http` or `https`, of the agent itself.
    pub scheme: String,
    /// Its normalized host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What stands before every path there; empty, or starts with `/` and does not end with one.
    pub prefix: String,
    /// The URL here that stands for it, without a slash at its end.
    pub url: String,
}

impl AgentCard {
    pub(in crate::classify) const fn new(carrier: Carrier) -> Self {
        Self { carrier, doors: None }
    }

    pub(super) fn open(&mut self, doors: Vec<Door>) {
        self.doors = Some(doors);
    }

    pub(super) const fn is_rewritten(&self) -> bool {
        self.doors.is_some()
    }

    /// Rewrites an answer; tells whether that changed anything.
    pub(super) fn rewrite(&self, answer: &mut Json) -> Result<bool, Fault> {
        let Some(doors) = &self.doors else { return Ok(false) };
        let card = match self.carrier {
            Carrier::Body => answer,
            Carrier::Result => {
                spelled(answer, &ENVELOPE)?;
                match answer.member_mut("result") {
                    Some(result) => result,
                    // An error: there is no card.
                    None => return Ok(false),
                }
            }
        };
        spelled(card, &CARD)?;
        let mut telling = Telling { doors, named: 0, kept: 0, changed: false };
        telling.interfaces(card, "supportedInterfaces", "protocolBinding")?;
        telling.interfaces(card, "additionalInterfaces", "transport")?;
        telling.main(card)?;
        if telling.named > 0 && telling.kept == 0 {
            let what = "no address on the agent's card leads to an upstream that is declared here as `a2a`; \
                        declare one there";
            return Err(Fault::new(Problem::Address, what));
        }
        telling.changed |= remove_foreign_schemes(card);
        if telling.changed {
            card.remove("signatures");
        }
        Ok(telling.changed)
    }
}

/// A card while its addresses are looked at.
struct Telling<'a> {
    doors: &'a [Door],
    /// Addresses that it named.
    named: usize,
    /// Those that stayed, rewritten.
    kept: usize,
    changed: bool,
}

impl Telling<'_> {
    /// A list of interfaces; those that lead elsewhere are left out.
    fn interfaces(&mut self, card: &mut Json, list: &str, binding: &'static str) -> Result<(), Fault> {
        let entries = match card.member_mut(list) {
            None | Some(Json::Null) => return Ok(()),
            Some(Json::Array(entries)) => entries,
            Some(_) => return Err(Fault::new(Problem::WrongType, "a list is due here").under_member(list)),
        };
        for (index, entry) in entries.iter().enumerate() {
            spelled(entry, &INTERFACE).map_err(|fault| fault.under_item(index).under_member(list))?;
        }
        entries.retain_mut(|entry| {
            self.named += 1;
            self.changed = true;
            let is_read = entry.member(binding).and_then(Json::as_str).is_some_and(is_binding);
            let inside = entry.member("url").and_then(Json::as_str).and_then(|url| through(self.doors, url));
            match inside.filter(|_| is_read) {
                Some(url) => {
                    self.kept += 1;
                    entry.set("url", Json::String(url));
                    true
                }
                None => false,
            }
        });
        Ok(())
    }

    /// The address at the top, as it was written before 1.0. Where it leads elsewhere, the first other one that does
    /// not takes its place.
    fn main(&mut self, card: &mut Json) -> Result<(), Fault> {
        let url = match card.member("url") {
            None | Some(Json::Null) => return Ok(()),
            Some(Json::String(url)) => url,
            Some(_) => return Err(Fault::new(Problem::WrongType, "a string is due here").under_member("url")),
        };
        self.named += 1;
        self.changed = true;
        let is_read = match card.member("preferredTransport") {
            // Its default is JSON-RPC.
            None | Some(Json::Null) => true,
            Some(transport) => transport.as_str().is_some_and(is_binding),
        };
        if let Some(url) = through(self.doors, url).filter(|_| is_read) {
            self.kept += 1;
            card.set("url", Json::String(url));
            return Ok(());
        }
        let other = card.member("additionalInterfaces").and_then(|list| list.items().first());
        let instead =
            other.and_then(|other| Some((other.member("url")?.clone(), other.member("transport")?.clone())));
        match instead {
            Some((url, transport)) => {
                card.set("url", url);
                card.set("preferredTransport", transport);
            }
            None => {
                card.remove("url");
            }
        }
        Ok(())
    }
}

fn is_binding(binding: &str) -> bool {
    BINDINGS.contains(&binding)
}

/// Takes out what sends a client to an authorization server, around the sidecar; tells whether there was any.
fn remove_foreign_schemes(card: &mut Json) -> bool {
    let Some(Json::Object(schemes)) = card.member_mut("securitySchemes") else { return false };
    let before = schemes.len();
    schemes.retain(|(_, scheme)| !names_server(scheme));
    schemes.len() < before
}

/// Whether a member is an address: `tokenUrl`, `openIdConnectUrl`, `oauth2MetadataUrl`.
fn names_server(value: &Json) -> bool {
    match value {
        Json::Object(members) => members.iter().any(|(name, value)| {
            let name = name.to_ascii_lowercase();
            (name.ends_with("url") && value.as_str().is_some()) || names_server(value)
        }),
        Json::Array(items) => items.iter().any(names_server),
        _ => false,
    }
}

/// Makes sure that no member could be taken for one of those that matter.
fn spelled(value: &Json, known: &[&'static str]) -> Result<(), Fault> {
    match value {
        Json::Object(members) => members.iter().try_for_each(|(name, _)| known_spelling(name, known)),
        _ => Err(Fault::new(Problem::WrongType, "an object is due here")),
    }
}

/// The URL here that stands for an agent's own.
fn through(doors: &[Door], url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let is_plain = rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'?' | b'@'));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let named = doors.iter().filter(|door| is_plain && door.scheme == scheme && door.is_at(authority));
    let path = if path.is_empty() { String::new() } else { normalize_path(path).ok()? };
    let below = |door: &Door| {
        let inside = path.strip_prefix(door.prefix.as_str())?;
        (inside.is_empty() || inside.starts_with('/')).then(|| format!("{}{inside}", door.url))
    };
    named.max_by_key(|door| below(door).map(|_| door.prefix.len())).and_then(below)
}

impl Door {
    fn is_at(&self, authority: &str) -> bool {
        let default = if self.scheme == "https" { 443 } else { 80 };
        let behind_address = authority.rfind(']').map_or(0, |at| at + 1);
        let colon = authority.rfind(':').filter(|at| *at >= behind_address);
        let (host, port) = match colon.and_then(|at| authority.split_at_checked(at)) {
            Some((host, port)) => (host, port.trim_start_matches(':').parse().ok()),
            None => (authority, Some(default)),
        };
        port == Some(self.port) && normalize_host(host).is_ok_and(|host| host == self.host)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::classify::Bounds;
    use crate::classify::strict_json::Reader;

    fn door(name: &str, at: &str, prefix: &str) -> Door {
        let (scheme, rest) = at.split_once("://").unwrap();
        let (host, port) = rest.rsplit_once(':').unwrap();
        Door {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port: port.parse().unwrap(),
            prefix: prefix.to_owned(),
            url: format!("http://127.0.0.1:8080/{name}"),
        }
    }

    fn doors() -> Vec<Door> {
        vec![
            door("billing", "https://agents.example:443", ""),
            door("desk", "https://agents.example:443", "/desk"),
            door("local", "http://::1:9999", "/a2a"),
        ]
    }

    /// The card as it is told, `=` where it stays as it is, or what is wrong with it.
    #[track_caller]
    fn check(carrier: Carrier, input: &str, expected: Result<&str, Problem>) {
        let mut card = AgentCard::new(carrier);
        card.open(doors());
        let mut answer = Reader::new(input.as_bytes(), &Bounds::default()).unwrap().whole().unwrap();
        let told = card.rewrite(&mut answer).map_err(|fault| fault.problem());
        let told = told.map(|changed| if changed { answer.text() } else { "=".to_owned() });
        assert_eq!(told, expected.map(str::to_owned), "{input}");
    }

    #[track_caller]
    fn check_url(url: &str, expected: Option<&str>) {
        assert_eq!(
            through(&doors(), url),
            expected.map(|inside| format!("http://127.0.0.1:8080{inside}")),
            "{url}"
        );
    }

    #[test]
    fn an_address_is_told_as_the_door_that_leads_there() {
        check_url("https://agents.example", Some("/billing"));
        check_url("https://agents.example/", Some("/billing/"));
        check_url("HTTPS://Agents.Example:443/a2a/jsonrpc", Some("/billing/a2a/jsonrpc"));
        check_url("https://agents.example./x/../a2a", Some("/billing/a2a"));
        check_url("https://agents.example/desk", Some("/desk"));
        check_url("https://agents.example/desk/v1", Some("/desk/v1"));
        check_url("https://agents.example/desks", Some("/billing/desks"));
        check_url("http://[::1]:9999/a2a/", Some("/local/"));
    }

    #[test]
    fn no_door_leads_elsewhere() {
        for url in [
            "",
            "/a2a",
            "agents.example:443",
            "http://agents.example/",
            "https://agents.example:8443/",
            "https://agents.example.evil.example/",
            "https://agents.example@evil.example/",
            "https://evil.example/?https://agents.example/",
            "https://agents.example/a?b",
            "https://agents.example/a#b",
            "https://agents.example\\@evil.example/",
            "https://agents.example/../../etc",
            "http://[::1]:9999/other",
            "http://[::1]:9999",
            "grpc://agents.example:443",
        ] {
            check_url(url, None);
        }
    }

    #[test]
    fn interfaces_are_rewritten_or_taken_out_and_the_signature_with_them() {
        check(
            Carrier::Body,
            r#"{"name":"b","supportedInterfaces":[
                {"url":"https://agents.example/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"},
                {"url":"https://agents.example/rest","protocolBinding":"HTTP+JSON","tenant":"t"},
                {"url":"agents.example:443","protocolBinding":"GRPC"},
                {"url":"https://agents.example/g","protocolBinding":"GRPC"},
                {"url":"https://evil.example/rpc","protocolBinding":"JSONRPC"},
                {"url":"https://agents.example/x","protocolBinding":"https://ext.example/own"}
            ],"provider":{"url":"https://provider.example"},"signatures":[{"protected":"p","signature":"s"}]}"#,
            Ok(concat!(
                r#"{"name":"b","supportedInterfaces":["#,
                r#"{"url":"http://127.0.0.1:8080/billing/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"},"#,
                r#"{"url":"http://127.0.0.1:8080/billing/rest","protocolBinding":"HTTP+JSON","tenant":"t"}"#,
                r#"],"provider":{"url":"https://provider.example"}}"#
            )),
        );
    }

    #[test]
    fn a_former_card_keeps_an_address_at_the_top() {
        check(
            Carrier::Body,
            r#"{"url":"https://agents.example/desk","preferredTransport":"JSONRPC","additionalInterfaces":[]}"#,
            Ok(
                r#"{"url":"http://127.0.0.1:8080/desk","preferredTransport":"JSONRPC","additionalInterfaces":[]}"#,
            ),
        );
        check(
            Carrier::Body,
            r#"{"url":"https://evil.example","additionalInterfaces":[
                {"url":"https://evil.example","transport":"JSONRPC"},
                {"url":"https://agents.example/v","transport":"HTTP+JSON"}]}"#,
            Ok(concat!(
                r#"{"url":"http://127.0.0.1:8080/billing/v","additionalInterfaces":["#,
                r#"{"url":"http://127.0.0.1:8080/billing/v","transport":"HTTP+JSON"}],"#,
                r#""preferredTransport":"HTTP+JSON"}"#
            )),
        );
    }

    #[test]
    fn a_card_that_leads_around_is_held_back() {
        check(
            Carrier::Body,
            r#"{"supportedInterfaces":[{"url":"https://evil.example","protocolBinding":"JSONRPC"}]}"#,
            Err(Problem::Address),
        );
        check(
            Carrier::Body,
            r#"{"url":"https://agents.example","preferredTransport":"GRPC"}"#,
            Err(Problem::Address),
        );
        for card in [
            r#"{"supported_interfaces":[{"url":"https://evil.example","protocolBinding":"JSONRPC"}]}"#,
            r#"{"URL":"https://evil.example"}"#,
            r#"{"url":"https://agents.example","Url":"https://evil.example"}"#,
            r#"{"supportedInterfaces":[{"url":"https://agents.example","Url":"x","protocolBinding":"JSONRPC"}]}"#,
        ] {
            check(Carrier::Body, card, Err(Problem::DuplicateKey));
        }
        for card in
            ["[]", r#"{"url":7}"#, r#"{"supportedInterfaces":{}}"#, r#"{"supportedInterfaces":["x"]}"#]
        {
            check(Carrier::Body, card, Err(Problem::WrongType));
        }
    }

    #[test]
    fn nobody_is_sent_to_an_authorization_server() {
        check(
            Carrier::Body,
            r#"{"securitySchemes":{"key":{"apiKeySecurityScheme":{"name":"k","location":"header"}},"oauth":{"oauth2SecurityScheme":{"flows":{"clientCredentials":{"tokenUrl":"https://idp.example/t"}}}},"oidc":{"type":"openIdConnect","openIdConnectUrl":"https://idp.example"}}}"#,
            Ok(r#"{"securitySchemes":{"key":{"apiKeySecurityScheme":{"name":"k","location":"header"}}}}"#),
        );
    }

    #[test]
    fn a_card_in_a_result_is_read_like_one_alone() {
        check(
            Carrier::Result,
            r#"{"jsonrpc":"2.0","id":1,"result":{"url":"https://agents.example"}}"#,
            Ok(r#"{"jsonrpc":"2.0","id":1,"result":{"url":"http://127.0.0.1:8080/billing"}}"#),
        );
        check(
            Carrier::Result,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32007,"message":"none"}}"#,
            Ok("="),
        );
        check(
            Carrier::Result,
            r#"{"jsonrpc":"2.0","id":1,"Result":{"url":"https://evil.example"}}"#,
            Err(Problem::DuplicateKey),
        );
        check(Carrier::Body, r#"{"name":"without an address"}"#, Ok("="));
    }

    #[test]
    fn without_doors_a_card_passes_as_it_is() {
        let mut answer = Json::object([("url", Json::text_of("https://evil.example"))]);
        assert!(!AgentCard::new(Carrier::Body).rewrite(&mut answer).unwrap());
        assert_eq!(answer.text(), r#"{"url":"https://evil.example"}"#);
    }

    proptest! {
        /// An address that is told as a door leads, for any client, to the agent behind that door.
        #[test]
        fn no_address_slips_through_a_door(
            authority in "([a-z0-9.:@\\[\\]%-]{0,10})?agents\\.example(:443)?[a-z0-9.:@\\\\?#-]{0,6}",
            path in "(/[a-zA-Z.%0-9]{0,6}){0,4}",
        ) {
            let text = format!("https://{authority}{path}");
            let Some(inside) = through(&doors(), &text) else { return Ok(()) };
            let url = url::Url::parse(&text);
            prop_assert!(url.is_ok(), "{}", text);
            let url = url.unwrap();
            prop_assert_eq!(url.host_str().unwrap_or_default().trim_end_matches('.'), "agents.example", "{}", text);
            prop_assert_eq!(url.port_or_known_default(), Some(443), "{}", text);
            let desk = url.path() == "/desk" || url.path().starts_with("/desk/");
            let door = format!("http://127.0.0.1:8080/{}", if desk { "desk" } else { "billing" });
            let rest = inside.strip_prefix(&door);
            prop_assert!(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')), "{}", inside);
        }
    }
}
