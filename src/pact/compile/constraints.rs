//! Constraints of `where`: known fields, sound operands, and something that can satisfy them all.

use crate::domain::{ActionKind, Json};
use crate::pact::compile::Notes;
use crate::pact::compile::fields::{field_type, value_fields};
use crate::pact::condition;
use crate::pact::constraint::{Constraint, Field, Outcome, Test};
use crate::pact::document::Place;
use crate::pact::pattern::Glob;
use crate::pact::reader::{At, Constant, Many, Table, nearest};
use crate::pact::source;

pub(super) fn compile(
    kind: ActionKind,
    table: Option<&At<Table<source::Constraint>>>,
    notes: &mut Notes<'_>,
) -> Vec<Constraint> {
    let Some((place, Table(rows))) = table.and_then(At::read) else { return vec![] };
    if rows.is_empty() {
        notes.error(place, "`where` without a constraint says nothing", "leave it out, or name a field");
    }
    let mut constraints = Vec::new();
    for (name, constraint) in rows {
        let Some((place, text)) = name.read() else { continue };
        let field = Field::new(text);
        let known = field_type(kind, field.names());
        if known.is_none() {
            unknown_field(kind, place, text, notes);
        }
        let Some((at, source)) = constraint.read() else { continue };
        let tests = tests(source, notes);
        if tests.is_empty() && says_nothing(source) {
            notes.error(
                at,
                format!("nothing is said of `{text}`"),
                "write an operator, such as `eq`, `in` or `max`",
            );
        }
        if tests.is_empty() {
            continue;
        }
        if let Some(why) = contradiction(known.unwrap_or("any"), &tests) {
            let message = format!("the clause can never match: {why}");
            notes.error(place, message, "correct the constraint, or remove the clause");
        }
        constraints.push(Constraint { field, tests });
    }
    constraints
}

fn unknown_field(kind: ActionKind, place: &Place, text: &str, notes: &mut Notes<'_>) {
    let names: Vec<&str> = value_fields(kind).iter().map(|(name, _)| *name).collect();
    let message = format!("{} actions have no field `{text}`", kind.name());
    let remedy = match names.as_slice() {
        [] => "leave `where` out: there is nothing to constrain but the name".to_owned(),
        [first, ..] if *first == "args" => format!("write `args.{text}` for an argument"),
        names => nearest(text.split('.').next().unwrap_or_default(), names),
    };
    notes.error(place, message, remedy);
}

fn tests(source: &source::Constraint, notes: &mut Notes<'_>) -> Vec<Test> {
    let mut tests = Vec::new();
    let number =
        |value: &Option<At<crate::pact::reader::Number>>| value.as_ref().and_then(|v| v.get().cloned());
    tests.extend(source.eq.as_ref().and_then(At::get).map(|constant| Test::Eq(constant.0.clone())));
    tests.extend(constants(source.one_of.as_ref(), notes).map(Test::In));
    tests.extend(constants(source.not_in.as_ref(), notes).map(Test::NotIn));
    tests.extend(number(&source.min).map(|bound| Test::Min(bound.0)));
    tests.extend(number(&source.above).map(|bound| Test::Above(bound.0)));
    tests.extend(number(&source.max).map(|bound| Test::Max(bound.0)));
    tests.extend(number(&source.below).map(|bound| Test::Below(bound.0)));
    tests.extend(globs(source.glob.as_ref(), notes));
    tests.extend(regex(source.regex.as_ref(), notes));
    tests.extend(source.length_max.as_ref().and_then(|v| v.get().copied()).map(Test::LengthMax));
    tests.extend(source.present.as_ref().and_then(|v| v.get().copied()).map(Test::Present));
    tests.extend(constants(source.subset_of.as_ref(), notes).map(Test::SubsetOf));
    tests
}

/// Whether no operator is written at all; one that could not be read has been reported.
fn says_nothing(source: &source::Constraint) -> bool {
    let source::Constraint {
        eq,
        one_of,
        not_in,
        min,
        max,
        above,
        below,
        glob,
        regex,
        length_max,
        present,
        subset_of,
    } = source;
    let numbers = [min, max, above, below].into_iter().all(Option::is_none);
    let lists = [one_of, not_in, subset_of].into_iter().all(Option::is_none);
    let texts = glob.is_none() && regex.is_none() && length_max.is_none();
    numbers && lists && texts && eq.is_none() && present.is_none()
}

fn constants(list: Option<&At<Vec<At<Constant>>>>, notes: &mut Notes<'_>) -> Option<Vec<Json>> {
    let (place, list) = list?.read()?;
    if list.is_empty() {
        notes.error(place, "an empty list decides nothing", "name the values that are meant");
    }
    // What could not be read has been reported; what is left of the list may be nothing.
    let read: Vec<Json> = list.iter().filter_map(|constant| constant.get().map(|c| c.0.clone())).collect();
    Some(read).filter(|read| !read.is_empty())
}

fn globs(list: Option<&At<Many<String>>>, notes: &mut Notes<'_>) -> Option<Test> {
    let (place, Many(list)) = list?.read()?;
    if list.is_empty() {
        notes.error(place, "an empty list decides nothing", "name the paths that are meant");
    }
    let mut globs = Vec::new();
    for (place, text) in list.iter().filter_map(At::read) {
        match Glob::parse_value(text) {
            Ok(_) if !is_regular(text) => {
                let message = format!(
                    "`{text}` can never match: values with empty, `.` or `..` segments match no glob"
                );
                notes.error(place, message, "write the path without them, or use `regex` for other text");
            }
            Ok(glob) => globs.push(glob),
            Err(error) => notes.error(place, error.explain().0, error.explain().1),
        }
    }
    Some(Test::Glob(globs))
}

fn is_regular(glob: &str) -> bool {
    let relative = glob.strip_prefix('/').unwrap_or(glob);
    !relative.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

fn regex(text: Option<&At<String>>, notes: &mut Notes<'_>) -> Option<Test> {
    let (place, text) = text?.read()?;
    // Compiled alone first: its own mistakes are reported as written, and it cannot close the group around it.
    let compiled = condition::regex(text).and_then(|_| condition::regex(&format!(r"\A(?:{text})\z")));
    match compiled {
        Ok(regex) => Some(Test::Regex { text: text.as_str().into(), regex }),
        Err(said) => {
            notes.error(place, format!("not a regular expression: {said}"), "correct the pattern");
            None
        }
    }
}

/// Why no value can satisfy all tests, as far as that can be told.
fn contradiction(field_type: &str, tests: &[Test]) -> Option<String> {
    if tests.len() > 1 && tests.iter().any(|test| matches!(test, Test::Present(false))) {
        return Some("a field that is absent has no value".to_owned());
    }
    let types = ["string", "number", "boolean", "array", "object"];
    let possible = |kind: &str| {
        (field_type == "any" || field_type == kind) && tests.iter().all(|test| speaks_of(test, kind))
    };
    if !types.into_iter().any(possible) {
        return Some(match tests {
            [test] => format!("`{}` does not speak of a value of type {field_type}", test.name()),
            _ => "its constraints are due to values of different types".to_owned(),
        });
    }
    let listed = tests.iter().find_map(|test| match test {
        Test::Eq(constant) => Some(std::slice::from_ref(constant)),
        Test::In(constants) => Some(constants.as_slice()),
        _ => None,
    });
    if let Some(listed) = listed {
        let satisfies =
            |constant: &Json| tests.iter().all(|test| test.outcome(Some(constant)) == Outcome::Met);
        return (!listed.iter().any(satisfies))
            .then(|| "no value listed satisfies the other constraints".to_owned());
    }
    is_empty_range(tests).then(|| "no number lies within its bounds".to_owned())
}

fn speaks_of(test: &Test, kind: &str) -> bool {
    match test {
        Test::Eq(constant) => constant.kind() == kind,
        Test::In(constants) | Test::NotIn(constants) => {
            constants.iter().any(|constant| constant.kind() == kind)
        }
        Test::Min(_) | Test::Max(_) | Test::Above(_) | Test::Below(_) => kind == "number",
        Test::Glob(_) | Test::Regex { .. } => kind == "string",
        Test::LengthMax(_) => matches!(kind, "string" | "array"),
        Test::SubsetOf(_) => kind == "array",
        Test::Present(_) => true,
    }
}

fn is_empty_range(tests: &[Test]) -> bool {
    tests.iter().any(|a| {
        tests.iter().any(|b| match (a, b) {
            (Test::Min(low), Test::Max(high)) => low > high,
            (Test::Min(low), Test::Below(high))
            | (Test::Above(low), Test::Max(high))
            | (Test::Above(low), Test::Below(high)) => low >= high,
            _ => false,
        })
    })
}
