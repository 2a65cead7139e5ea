//! What an author may have meant.

/// Names as a sentence lists them.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What the author may have meant: the closest name, or all of them.
#[must_use]
pub fn nearest(text: &str, names: &[&str]) -> String {
    let near = names.iter().map(|name| (distance(text, name), name)).min();
    match near {
        Some((distance, name)) if distance <= 2 && distance < name.len() => format!("did you mean `{name}`?"),
        _ => format!("write one of {}", listed(names)),
    }
}

/// Levenshtein's distance, of texts short enough to be names.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (y, window) in b.chars().zip(row.windows(2)) {
            let [diagonal, above] = window else { continue };
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(x != y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
