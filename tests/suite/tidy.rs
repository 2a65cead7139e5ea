//! Properties of the source tree itself: floors, purity, file headers.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors, lowest first. A room uses rooms on lower floors only.
const FLOORS: &[&[&str]] = &[
    &["domain"],
    &["pact", "classify", "evidence", "scoring", "wire"],
    &["trust", "limits", "approvals", "pins", "spool", "store", "net", "telemetry"],
    &["enforce"],
    &["proxy", "link", "admin", "collector", "center"],
    &["config", "rehearsal", "cli"],
];

/// Rooms of the top floor may use each other in this order only: later ones use earlier ones.
const TOP: &[&str] = &["config", "rehearsal", "cli"];

/// What floors 0 and 1 never name: they touch nothing outside themselves.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "axum",
    "sqlx",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "std::process",
    "std::env",
];

struct Source {
    path: PathBuf,
    room: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(below: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |path: PathBuf| {
        let inside = path.strip_prefix(&src).unwrap();
        let room = inside.components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        Source { path, room, text }
    };
    files(&src, "rs").into_iter().map(read).collect()
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Lines of code: comments and doc comments cut off.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.text.lines().enumerate();
    lines.map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
}

fn may_use(from: &str, to: &str) -> bool {
    if from == to {
        return true;
    }
    let (Some(from_floor), Some(to_floor)) = (floor_of(from), floor_of(to)) else { return false };
    let on_top = |room| TOP.iter().position(|r| *r == room);
    match (on_top(from), on_top(to)) {
        (Some(from), Some(to)) => to < from,
        _ if to == "telemetry" => from_floor >= 2,
        _ => to_floor < from_floor,
    }
}

#[test]
fn rooms_use_lower_floors_only() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| !s.room.ends_with(".rs")) {
        assert!(floor_of(&source.room).is_some(), "room `{}` stands on no floor", source.room);
        for (number, line) in code(source) {
            for used in line.split("crate::").skip(1) {
                let room: String =
                    used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if !may_use(&source.room, &room) {
                    wrong.push(format!("{}:{number}: {}", source.path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "rooms that reach up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn no_path_hides_an_edge() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in code(&source) {
            if line.contains("crate::{") || line.contains("super::super") {
                wrong.push(format!("{}:{number}: {}", source.path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "name rooms in full:\n{}", wrong.join("\n"));
}

#[test]
fn floors_zero_and_one_touch_nothing() {
    let mut wrong = Vec::new();
    let pure = |source: &Source| floor_of(&source.room).is_some_and(|floor| floor <= 1);
    let is_test = |source: &Source| source.path.ends_with("tests.rs");
    for source in sources().iter().filter(|s| pure(s) && !is_test(s)) {
        let before_tests = source.text.split("#[cfg(test)]").next().unwrap_or_default();
        let last = before_tests.lines().count();
        for (number, line) in code(source).take_while(|(number, _)| *number <= last) {
            let named = IMPURE
                .iter()
                .find(|name| line.contains(&format!("{name}::")) || line.contains(&format!("use {name}")));
            if let Some(name) = named {
                wrong.push(format!("{}:{number}: `{name}`", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not pure:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let mut silent: Vec<_> = sources().into_iter().filter(|s| !s.text.starts_with("//! ")).collect();
    silent.retain(|s| s.path.file_name().is_none_or(|name| name != "lib.rs"));
    let names: Vec<_> = silent.iter().map(|s| s.path.display().to_string()).collect();
    assert!(names.is_empty(), "files that do not open with a `//! ` line:\n{}", names.join("\n"));
}

#[test]
fn the_map_names_every_room_and_no_other() {
    let map = fs::read_to_string(root().join("src/README.md")).unwrap();
    for room in FLOORS.concat() {
        assert!(root().join("src").join(room).join("mod.rs").is_file(), "`{room}` has no door");
        assert!(map.contains(&format!("`{room}`")), "src/README.md does not name `{room}`");
    }
    let stands =
        |entry: fs::DirEntry| entry.path().is_dir().then(|| entry.file_name().into_string().unwrap());
    let built = fs::read_dir(root().join("src")).unwrap().filter_map(|e| stands(e.unwrap()));
    for room in built {
        assert!(floor_of(&room).is_some(), "`src/{room}` stands on no floor");
    }
}

/// The permit is the only key to the outside: what leaves the machine on behalf of an agent takes one.
#[test]
fn only_the_judge_makes_permits_and_only_two_files_dial() {
    for source in sources() {
        let name = source.path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        if source.room != "enforce" {
            assert!(!source.text.contains("Permit {"), "{name} makes a permit");
        }
        let dials = [".request(", "dialer.connect(", "TcpStream::connect"];
        if source.room == "proxy" && dials.iter().any(|dial| source.text.contains(dial)) {
            let exits = ["proxy/upstream.rs", "proxy/tunnel.rs"];
            assert!(exits.contains(&name.as_str()), "{name} reaches out past upstream and tunnel");
        }
    }
}

/// Nothing fails here: the longest files, as something to look at.
#[test]
fn the_longest_files_are_shown() {
    let mut sizes: Vec<_> = sources().iter().map(|s| (s.text.lines().count(), s.path.clone())).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    for (lines, path) in sizes.iter().take(8) {
        println!("{lines:5} {}", path.strip_prefix(root()).unwrap().display());
    }
}
