//! One value, spelled in many ways.

/// A source of choices that a failing case can be replayed with.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below the bound.
    pub fn roll(&mut self, bound: usize) -> usize {
        // xorshift64 (Marsaglia, 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

/// A JSON value whose numbers have no spelling yet.
#[derive(Clone, Debug)]
pub enum Tree {
    Number(String),
    Text(String),
    Bool(bool),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// In the plainest spelling.
    pub fn plain(&self) -> String {
        self.write(None)
    }

    /// In some spelling: blanks, escapes, order of members, forms of numbers.
    pub fn spelled(&self, dice: &mut Dice) -> String {
        self.write(Some(dice))
    }

    fn write(&self, mut dice: Option<&mut Dice>) -> String {
        match self {
            Self::Number(text) => dice.map_or_else(|| text.clone(), |dice| number(text, dice)),
            Self::Text(text) => dice.map_or_else(|| quoted(text), |dice| string(text, dice)),
            Self::Bool(value) => value.to_string(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| item.write(dice.as_deref_mut())).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(members) => {
                let mut members: Vec<&(String, Tree)> = members.iter().collect();
                if let Some(dice) = dice.as_deref_mut() {
                    let turn = dice.roll(members.len().max(1));
                    members.rotate_left(turn);
                }
                let mut written = Vec::new();
                for (name, value) in members {
                    let (name, gaps) = match dice.as_deref_mut() {
                        Some(dice) => (string(name, dice), [blank(dice), blank(dice), blank(dice)]),
                        None => (quoted(name), [""; 3]),
                    };
                    let value = value.write(dice.as_deref_mut());
                    written.push(format!("{}{name}{}:{}{value}", gaps[0], gaps[1], gaps[2]));
                }
                format!("{{{}}}", written.join(","))
            }
        }
    }
}

fn blank(dice: &mut Dice) -> &'static str {
    dice.pick(&["", "", " ", "\n", "\t\r\n"])
}

/// JSON text of a string.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn string(text: &str, dice: &mut Dice) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' || dice.roll(4) == 0 => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let hex = format!("\\u{unit:04x}");
                    out.push_str(&if dice.roll(2) == 0 { hex } else { format!("\\u{unit:04X}") });
                }
            }
            '/' if dice.roll(2) == 0 => out.push_str("\\/"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The same number in another form (RFC 8259, section 6): `80`, `80.0`, `8e1`, `0.08E+3`, `800e-1`.
fn number(text: &str, dice: &mut Dice) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let exponent = -i64::try_from(fraction.len()).unwrap();
    let e = dice.pick(&["e", "E"]);
    let significant = match all.trim_start_matches('0') {
        "" => return ["0", "0.0", "0e1", "0.000E-3"][dice.roll(4)].to_owned(),
        rest => rest,
    };
    match dice.roll(5) {
        0 => text.to_owned(),
        1 if fraction.is_empty() => format!("{text}.{}", "0".repeat(1 + dice.roll(3))),
        1 => format!("{text}0"),
        2 => format!("{sign}{significant}{e}{exponent}"),
        3 => format!("{sign}0.{all}{e}+{}", whole.len()),
        _ => format!("{sign}{significant}00{e}{}", exponent - 2),
    }
}
