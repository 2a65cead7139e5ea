//! The text format of Prometheus (version 0.0.4), read strictly.

use std::collections::{BTreeMap, BTreeSet};

/// Everything that one scrape told.
#[derive(Debug, Default)]
pub struct Exposition {
    pub families: BTreeMap<String, Family>,
}

/// One metric.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub help: String,
    pub samples: Vec<Sample>,
}

/// One line with a value. Of a histogram the name has an ending.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Exposition {
    /// The value of the one sample with these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples(name).find(|sample| sample.labels == wanted).map(|sample| sample.value)
    }

    /// The sum over all samples of a name.
    pub fn sum(&self, name: &str) -> f64 {
        self.samples(name).map(|sample| sample.value).sum()
    }

    /// The names of all samples, with their labels.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, String>)> {
        self.families.values().flat_map(|family| &family.samples).map(|one| (one.name.as_str(), &one.labels))
    }

    fn samples(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.families.values().flat_map(|family| &family.samples).filter(move |sample| sample.name == name)
    }
}

/// Reads a scrape.
///
/// # Errors
/// At the first line that a strict reader would not take.
pub fn read(text: &str) -> Result<Exposition, String> {
    let mut found = Exposition::default();
    let mut current = String::new();
    let mut seen = BTreeSet::new();
    if !text.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    for line in text.lines() {
        let wrong = |what: &str| format!("{what}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
            if found.families.contains_key(name) {
                return Err(wrong("a metric that stands twice"));
            }
            current = named(name).ok_or_else(|| wrong("no name"))?;
            found.families.insert(current.clone(), Family { help: help.to_owned(), ..Family::default() });
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            let family = found.families.get_mut(name).filter(|_| name == current);
            let family = family.ok_or_else(|| wrong("a type without help before it"))?;
            if !["counter", "gauge", "histogram"].contains(&kind) || !family.kind.is_empty() {
                return Err(wrong("not one type"));
            }
            kind.clone_into(&mut family.kind);
        } else {
            let sample = sample(line).ok_or_else(|| wrong("no sample"))?;
            if !seen.insert((sample.name.clone(), sample.labels.clone())) {
                return Err(wrong("a sample that stands twice"));
            }
            let family = found.families.get_mut(&current).ok_or_else(|| wrong("a sample of nothing"))?;
            let ending =
                sample.name.strip_prefix(&current).ok_or_else(|| wrong("a sample of another metric"))?;
            let fits = match family.kind.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"].contains(&ending),
                "counter" => ending.is_empty() && sample.value >= 0.0,
                _ => ending.is_empty(),
            };
            if !fits {
                return Err(wrong("a sample that its type does not have"));
            }
            family.samples.push(sample);
        }
    }
    found.families.iter().filter(|(_, family)| family.kind == "histogram").try_for_each(
        |(name, family)| histogram(name, family).ok_or_else(|| format!("`{name}` is no histogram")),
    )?;
    Ok(found)
}

/// `name{label="value",…} value`.
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = value.strip_prefix(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        _ if value.contains(char::is_alphabetic) && !value.contains('e') => return None,
        _ => value.parse().ok()?,
    };
    Some(Sample { name: named(name)?, labels, value })
}

fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut found = BTreeMap::new();
    loop {
        let (name, mut after) = rest.split_once("=\"")?;
        let mut value = String::new();
        loop {
            let mut characters = after.chars();
            let next = characters.next()?;
            let escaped = if next == '\\' { Some(characters.next()?) } else { None };
            after = characters.as_str();
            match (next, escaped) {
                ('"', _) => break,
                (_, Some('n')) => value.push('\n'),
                (_, Some(plain @ ('\\' | '"'))) => value.push(plain),
                (_, Some(_)) => return None,
                (plain, None) => value.push(plain),
            }
        }
        if found.insert(named(name)?, value).is_some() {
            return None;
        }
        match after.strip_prefix('}') {
            Some(after) => return Some((found, after)),
            None => rest = after.strip_prefix(',')?,
        }
    }
}

fn named(name: &str) -> Option<String> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let sound = name.bytes().all(is_word) && !name.bytes().next()?.is_ascii_digit();
    sound.then(|| name.to_owned())
}

/// Buckets rise, the last is everything, and the count agrees with it.
fn histogram(name: &str, family: &Family) -> Option<()> {
    let mut series = BTreeMap::<_, Vec<(f64, f64)>>::new();
    for sample in family.samples.iter().filter(|sample| sample.name.ends_with("_bucket")) {
        let mut labels = sample.labels.clone();
        let bound = match labels.remove("le")?.as_str() {
            "+Inf" => f64::INFINITY,
            bound => bound.parse().ok()?,
        };
        series.entry(labels).or_default().push((bound, sample.value));
    }
    for (labels, buckets) in series {
        let rises = buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1);
        let (last, all) = *buckets.last()?;
        let count =
            family.samples.iter().find(|one| one.name == format!("{name}_count") && one.labels == labels)?;
        if !rises || last != f64::INFINITY || all != count.value {
            return None;
        }
    }
    Some(())
}
