//! What expressions see: values read on demand from the action, and comparisons that insist on types.

use std::any::Any;

use cel::common::traits::{Container, Indexer, Sizer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelTimestamp, DYN_TYPE, Kind, MAP_TYPE,
    STRING_TYPE, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::context::VariableResolver;
use cel::{Env, ExecutionError};
use regex::Regex;

use crate::domain::{Decimal, Json, Target};
use crate::pact::condition::Subject;

/// Longest list that an expression may read. With one level of iteration, this bounds its cost.
const ITEMS_MAX: usize = 256;
/// Longest text that an expression may read, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The function that `==` becomes.
pub(super) const EQUALS: &str = "@equals";
/// The function that `!=` becomes.
pub(super) const DIFFERS: &str = "@differs";
/// The function that `in` becomes.
pub(super) const AMONG: &str = "@among";
/// The variables that literal patterns of `matches` become, each followed by its number.
pub(super) const PATTERN: &str = "@pattern";

static PATTERN_TYPE: Type = Type::new_unspecified_type("pactgate.pattern");

/// The standard library with `matches` for patterns compiled beforehand, and with strict comparisons.
///
/// CEL lets `1 == "1"` be false. Its type checker, which knows the types beforehand, would refuse it; so do these.
pub(super) fn environment() -> Env {
    let mut env = Env::stdlib().with_optional_support(false);
    let pattern = || PATTERN_TYPE.to_owned();
    let dynamic = || vec![DYN_TYPE, DYN_TYPE];
    // The names are not in the standard library, so none of these can be declared already.
    let declared = [
        env.add_member_overload("matches", "matches_compiled", STRING_TYPE, vec![pattern()], matches),
        env.add_overload("matches", "matches_compiled_global", vec![STRING_TYPE, pattern()], matches),
        env.add_overload(EQUALS, "equals_strictly", dynamic(), |args| two(args, equals)),
        env.add_overload(DIFFERS, "differs_strictly", dynamic(), |args| {
            two(args, |a, b| equals(a, b).map(|e| !e))
        }),
        env.add_overload(AMONG, "among_strictly", dynamic(), |args| two(args, among)),
    ];
    debug_assert!(declared.iter().all(Result::is_ok), "a name is declared twice");
    env
}

fn two<'b, 'v>(
    args: Vec<CowVal<'b, 'v>>,
    holds: fn(&dyn Val, &dyn Val) -> Result<bool, ExecutionError>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    match args.as_slice() {
        [a, b] => holds(a.as_ref(), b.as_ref()).map(|holds| CowVal::owned(CelBool::from(holds))),
        _ => Err(ExecutionError::invalid_argument_count(2, args.len())),
    }
}

fn mistyped(function: &str, a: &dyn Val, b: &dyn Val) -> ExecutionError {
    let name = |val: &dyn Val| val.get_type().name().to_owned();
    ExecutionError::no_such_overload(function, vec![name(a), name(b)])
}

/// Types that may be compared: the same ones, numbers among each other, and `null` with anything.
fn comparable(a: &dyn Val, b: &dyn Val) -> bool {
    let is_number = |kind| matches!(kind, Kind::Int | Kind::UInt | Kind::Double);
    let (a, b) = (a.get_type().kind(), b.get_type().kind());
    a == b || (is_number(a) && is_number(b)) || a == Kind::NullType || b == Kind::NullType
}

fn equals(a: &dyn Val, b: &dyn Val) -> Result<bool, ExecutionError> {
    if comparable(a, b) { Ok(a.equals(b)) } else { Err(mistyped("_==_", a, b)) }
}

fn among(item: &dyn Val, whole: &dyn Val) -> Result<bool, ExecutionError> {
    let Some(container) = whole.as_container() else { return Err(mistyped("@in", item, whole)) };
    if container.contains(item)? {
        return Ok(true);
    }
    match whole.downcast_ref::<CelList<'_>>() {
        Some(list)
            if !list.inner().is_empty() && !list.inner().iter().any(|own| comparable(item, own.as_ref())) =>
        {
            Err(mistyped("@in", item, whole))
        }
        _ => Ok(false),
    }
}

fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let (text, pattern) = match args.as_slice() {
        [text, pattern] => (text.downcast_ref::<CelString<'_>>(), pattern.downcast_ref::<Pattern>()),
        _ => (None, None),
    };
    match (text, pattern) {
        (Some(text), Some(pattern)) => Ok(CowVal::owned(CelBool::from(pattern.0.is_match(text.inner())))),
        _ => Err(ExecutionError::no_such_overload("matches", vec![])),
    }
}

/// A regular expression compiled when the pact was loaded.
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub(super) Regex);

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN_TYPE
    }

    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

/// Answers the expression's questions, one at a time.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) patterns: &'a [Pattern],
}

impl VariableResolver for Resolver<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let subject = self.subject;
        let text = |text: &'b str| CowVal::owned(CelString::from(text));
        match variable {
            "agent" => Some(text(subject.agent.as_str())),
            "tier" => Some(text(subject.tier.name())),
            "action" => Some(CowVal::owned(ActionVal(subject))),
            "args" => match (subject.action.fields.member("args"), &subject.action.target) {
                (Some(args), _) => value(args).ok(),
                // A tool called without arguments has none; what an unread body holds is not known.
                (None, Target::Tool(_)) => Some(CowVal::owned(Object(&[]))),
                (None, _) => None,
            },
            "now" => {
                let at = chrono::DateTime::from_timestamp_micros(subject.at.as_micros())?;
                Some(CowVal::owned(CelTimestamp::from(at.fixed_offset())))
            }
            _ => {
                let number = variable.strip_prefix(PATTERN)?.parse::<usize>().ok()?;
                self.patterns.get(number).map(|pattern| CowVal::Borrowed(pattern as &dyn Val))
            }
        }
    }
}

/// A JSON value as an expression sees it. Objects are read member by member; numbers that are not whole become
/// doubles, and only where that loses no digit.
fn value<'b, 'v>(json: &'v Json) -> Result<CowVal<'b, 'v>, ExecutionError> {
    Ok(match json {
        Json::Null => CowVal::owned(CelNull),
        Json::Bool(value) => CowVal::owned(CelBool::from(*value)),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => CowVal::owned(CelInt::from(whole)),
            None => CowVal::owned(CelDouble::from(exact(number)?)),
        },
        Json::String(text) if text.len() > TEXT_BYTES_MAX => return Err(too_large("text")),
        Json::String(text) => CowVal::owned(CelString::from(text.as_str())),
        Json::Array(items) if items.len() > ITEMS_MAX => return Err(too_large("list")),
        Json::Array(items) => {
            let items: Result<Vec<_>, _> =
                items.iter().map(|item| value(item).map(CowVal::into_owned)).collect();
            CowVal::owned(CelList::from(items?))
        }
        Json::Object(members) => CowVal::owned(Object(members)),
    })
}

fn too_large(what: &str) -> ExecutionError {
    ExecutionError::function_error(what, "too large for an expression")
}

fn exact(number: &Decimal) -> Result<f64, ExecutionError> {
    let double = number.to_f64();
    match Decimal::parse(&format!("{double:e}")) {
        Some(back) if back == *number => Ok(double),
        _ => Err(ExecutionError::function_error("number", "not exact as a double")),
    }
}

/// The members of a JSON object, none of them converted before it is read.
#[derive(Debug)]
struct Object<'a>(&'a [(String, Json)]);

impl<'a> Object<'a> {
    fn member(&self, name: &str) -> Option<&'a Json> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

fn name_of(index: &dyn Val) -> Result<&str, ExecutionError> {
    let text: Option<&CelString<'_>> = index.downcast_ref::<CelString<'_>>();
    text.map(CelString::inner).ok_or_else(|| ExecutionError::UnexpectedType {
        got: index.get_type().name().to_owned(),
        want: "string".to_owned(),
    })
}

impl Val for Object<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        let same_size = other.as_sizer().is_some_and(|other| other.size() == self.size());
        let same_member = |(name, own): &(String, Json)| {
            let Some(indexer) = other.as_indexer() else { return false };
            match (indexer.get(&CelString::from(name.as_str())), value(own)) {
                (Ok(theirs), Ok(own)) => own.equals(theirs.as_ref()),
                _ => false,
            }
        };
        same_size && self.0.iter().all(same_member)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self(self.0))
    }
}

impl Indexer for Object<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name_of(index)?;
        self.member(name).map_or_else(|| Err(ExecutionError::no_such_key(name)), value)
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name_of(index)?;
        let found = self.member(name).ok_or_else(|| ExecutionError::no_such_key(name))?;
        value(found).map(CowVal::into_owned)
    }
}

impl Container for Object<'_> {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        name_of(name).map(|name| self.member(name).is_some())
    }
}

impl Sizer for Object<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.0.len()).unwrap_or(i64::MAX))
    }
}

/// The variable `action`.
#[derive(Debug)]
struct ActionVal<'a>(&'a Subject<'a>);

impl<'a> ActionVal<'a> {
    fn member<'b, 'v>(&self, name: &str) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        'a: 'v,
    {
        let subject = self.0;
        let text = |text: &'a str| Ok(CowVal::owned(CelString::from(text)));
        let port = |port: u16| Ok(CowVal::owned(CelInt::from(i64::from(port))));
        match (name, &subject.action.target) {
            ("kind", target) => text(target.kind().name()),
            ("dialect", _) => text(subject.action.dialect.name()),
            ("fields", _) => value(&subject.action.fields),
            ("name", target) => {
                let name = subject.capability.map_or_else(|| target.to_string(), str::to_owned);
                Ok(CowVal::owned(CelString::from(name)))
            }
            ("provider", Target::Model { provider, .. } | Target::HostedTool { provider, .. }) => {
                text(provider)
            }
            ("model", Target::Model { model, .. }) => text(model),
            ("server", Target::Resource { server, .. } | Target::Prompt { server, .. }) => {
                text(server.as_str())
            }
            ("uri", Target::Resource { uri, .. }) => text(uri),
            ("peer", Target::Agent { peer, .. }) => text(peer),
            ("skill", Target::Agent { skill: Some(skill), .. }) => text(skill),
            ("method", Target::Http(http)) => text(&http.method),
            ("scheme", Target::Http(http)) => text(&http.scheme),
            ("host", Target::Http(http)) => text(&http.host),
            ("port", Target::Http(http)) => port(http.port),
            ("path", Target::Http(http)) => text(&http.path),
            ("host", Target::Opaque { host, .. }) => text(host),
            ("port", Target::Opaque { port: number, .. }) => port(*number),
            ("path", Target::Opaque { path: Some(path), .. }) => text(path),
            _ => Err(ExecutionError::no_such_key(name)),
        }
    }
}

impl Val for ActionVal<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self(self.0))
    }
}

impl Indexer for ActionVal<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.member(name_of(index)?)
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.member(name_of(index)?).map(CowVal::into_owned)
    }
}
