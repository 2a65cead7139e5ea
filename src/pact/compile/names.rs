//! Names in pacts: none that a reader could take for another, and none that a call is refused for.

use crate::domain::{NameFault, check_member_name, check_name};
use crate::pact::document::shorten;

/// What is wrong, and what to write instead.
type Wrong = (String, String);

/// Checks a name or a pattern of names that stands in `whole`.
pub(super) fn check(name: &str, whole: &str) -> Result<(), Wrong> {
    check_name(name).map_err(|fault| explain(fault, whole))
}

/// Checks the name of a tool at its server.
pub(super) fn check_tool(name: &str, whole: &str) -> Result<(), Wrong> {
    check_member_name(name).map_err(|fault| explain(fault, whole))
}

fn explain(fault: NameFault, whole: &str) -> Wrong {
    let (what, remedy) = fault.explain();
    // Look-alikes cannot be told apart by sight: their numbers can.
    let odd = whole.chars().find(|c| !c.is_ascii());
    let odd = odd.map(|c| format!(" (U+{:04X})", u32::from(c))).unwrap_or_default();
    (format!("`{}` can never match: the name {what}{odd}", shown(whole)), remedy.to_owned())
}

/// A text of the author's as a message may repeat it: short, with nothing in it that a terminal hides.
pub(super) fn shown(text: &str) -> String {
    shorten(text).chars().flat_map(char::escape_debug).collect::<String>().replace("\\\"", "\"")
}
