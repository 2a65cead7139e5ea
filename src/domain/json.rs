//! Json: a JSON value as Pactgate judges it: exact numbers, members in the order they came.

use crate::domain::Decimal;

/// A JSON value. Whoever builds an object makes sure that no member name stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exact.
    Number(Decimal),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object: member names are unique.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object of these members.
    pub fn object<N: Into<String>>(members: impl IntoIterator<Item = (N, Json)>) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// The member of that name, where this is an object that has it.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Json> {
        match self {
            Self::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The member of that name, to be changed.
    pub fn member_mut(&mut self, name: &str) -> Option<&mut Json> {
        match self {
            Self::Object(members) => members.iter_mut().find(|(n, _)| n == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Puts a member in place of the one of that name, or behind the others. Anything but an object stays as it is.
    pub fn set(&mut self, name: &str, value: Json) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(n, _)| n == name) {
            Some((_, held)) => *held = value,
            None => members.push((name.to_owned(), value)),
        }
    }

    /// Takes the member of that name out.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        let Self::Object(members) = self else { return None };
        let at = members.iter().position(|(n, _)| n == name)?;
        Some(members.remove(at).1)
    }

    /// The items, where this is an array.
    #[must_use]
    pub fn items(&self) -> &[Json] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// A string.
    pub fn text_of(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// The value at a path of member names, such as `["args", "amount"]`.
    #[must_use]
    pub fn at<'a, S: AsRef<str> + 'a>(&self, path: impl IntoIterator<Item = &'a S>) -> Option<&Json> {
        path.into_iter().try_fold(self, |value, name| value.member(name.as_ref()))
    }

    /// The text, where this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value this is, in the words of JSON Schema.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// Writes one canonical form: members sorted by name, no white space, each number in one spelling.
    /// It follows RFC 8785 except that numbers keep all their digits.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, true);
        out
    }

    /// Writes it without white space, members in the order they came.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, false);
        out
    }

    fn write(&self, out: &mut String, sorted: bool) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out, sorted);
                }
                out.push(']');
            }
            Self::Object(members) => {
                let mut ordered: Vec<_> = members.iter().collect();
                if sorted {
                    ordered.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                }
                out.push('{');
                for (i, (name, value)) in ordered.into_iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_string(name, out);
                    out.push(':');
                    value.write(out, sorted);
                }
                out.push('}');
            }
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    // serde_json escapes exactly what RFC 8785 section 3.2.2.2 asks for, and writing a string cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form_does_not_depend_on_order_or_spelling() {
        let amount = |text: &str| Json::Number(Decimal::parse(text).unwrap());
        let a = Json::object([("b", amount("1e2")), ("a", Json::String("é\n\u{1}".to_owned()))]);
        let b = Json::object([("a", Json::String("é\n\u{1}".to_owned())), ("b", amount("100.0"))]);
        assert_eq!(a.canonical(), r#"{"a":"é\n\u0001","b":100}"#);
        assert_eq!(a.canonical(), b.canonical());
    }

    #[test]
    fn a_path_leads_to_a_member() {
        let value = Json::object([("args", Json::object([("amount", Json::Bool(true))]))]);
        assert_eq!(value.at(&["args", "amount"]), Some(&Json::Bool(true)));
        assert_eq!(value.at(&["args", "none"]), None);
        assert_eq!(value.at(&["args", "amount", "deeper"]), None);
    }
}
