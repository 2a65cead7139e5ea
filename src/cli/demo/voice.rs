//! How the demo tells its story: one screen a step, plain where nobody looks at colors.

use std::io::{IsTerminal as _, Write as _};

use crate::cli::demo::agent::Answer;

/// Writes to standard output.
#[derive(Debug)]
pub struct Voice {
    colors: bool,
    step: usize,
}

impl Voice {
    /// A voice that uses colors on a terminal, unless `NO_COLOR` is set.
    #[must_use]
    pub fn new() -> Self {
        let colors = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colors, step: 0 }
    }

    /// Begins a step.
    pub fn step(&mut self, title: &str) {
        self.step += 1;
        self.line(&format!("\n{}", self.paint("1", &format!("{}. {title}", self.step))));
    }

    /// Says a sentence.
    pub fn say(&self, text: &str) {
        self.line(&format!("   {text}"));
    }

    /// Shows what the agent does.
    pub fn does(&self, what: &str) {
        self.line(&format!("   {} {what}", self.paint("36", "agent →")));
    }

    /// Shows what the agent gets.
    pub fn gets(&self, answer: &Answer) {
        let (color, word) = match (answer.went_through(), answer.status, answer.reason()) {
            (true, ..) => ("32", "allowed".to_owned()),
            (false, status, Some(reason)) => ("31", format!("refused, {reason} (HTTP {status})")),
            (false, status, None) => ("31", format!("failed (HTTP {status})")),
        };
        self.line(&format!("   {} {}", self.paint(color, "      ←"), self.paint(color, &word)));
        for line in wrap(answer.text(), 92) {
            self.line(&format!("           {line}"));
        }
    }

    /// Shows something as it is.
    pub fn show(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("   {} {line}", self.paint("2", "|")));
        }
    }

    /// Says that everything stays up, what can be tried, and where it all is.
    pub fn stay(&self, commands: &str, addresses: &str) {
        self.line(&format!("\n{}\n", self.paint("1", "Everything stays up until you press Ctrl-C:")));
        self.line(commands);
        self.line("");
        self.show(addresses);
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colors { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A reader that went away does not stop the demo.
    fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self::new()
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let fits = lines.last().is_some_and(|line| line.len() + word.len() < width);
        match lines.last_mut() {
            Some(line) if line.is_empty() || fits => {
                let space = if line.is_empty() { "" } else { " " };
                line.push_str(space);
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}
