//! Names of models, tools and prompts: bounded, and nothing in them that could be taken for another.

use crate::classify::Problem;
use crate::classify::fault::Fault;
use crate::domain::{self, NameFault};

/// Checks the name of a model or of a method.
pub(super) fn check_name(name: &str, bytes_max: usize) -> Result<(), Fault> {
    check(name, bytes_max, domain::check_name)
}

/// Checks the name of a tool or a prompt of a server.
pub(super) fn check_member_name(name: &str, bytes_max: usize) -> Result<(), Fault> {
    check(name, bytes_max, domain::check_member_name)
}

/// Checks a text that names something in a spelling of its own, such as a URI.
pub(super) fn check_text(text: &str, bytes_max: usize) -> Result<(), Fault> {
    check(text, bytes_max, domain::check_text)
}

fn check(name: &str, bytes_max: usize, check: fn(&str) -> Result<(), NameFault>) -> Result<(), Fault> {
    if name.len() > bytes_max {
        return Err(Fault::new(Problem::Name, format!("the name is longer than {bytes_max} bytes")));
    }
    check(name).map_err(|fault| {
        let (what, remedy) = fault.explain();
        Fault::new(Problem::Name, format!("the name {what}; {remedy}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_plain() {
        assert!(check_name(&"a".repeat(64), 64).is_ok());
        for name in ["".to_owned(), "a".repeat(65), "r\u{435}fund".to_owned()] {
            assert_eq!(check_name(&name, 64).unwrap_err().problem(), Problem::Name, "{name:?}");
        }
        assert!(check_name(".x", 64).is_ok() && check_member_name(".x", 64).is_err());
        assert!(check_text("note://a/té", 64).is_ok() && check_name("note://a/té", 64).is_err());
    }
}
