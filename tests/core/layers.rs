//! What the source text must keep to, whatever the compiler allows: the direction
//! of imports, and nothing in the simulation that differs between runs or platforms.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our modules each may name, itself aside. Top to bottom, never back up:
/// `ui` and the binaries, which are not listed, may name all.
const MAY_NAME: [(&str, &[&str]); 12] = [
    ("engine", &[]),
    ("workload", &["engine"]),
    ("service", &["engine", "workload"]),
    ("sql", &["engine", "workload"]),
    ("ring", &["engine", "workload"]),
    ("check", &MIDDLE),
    ("measure", &MIDDLE),
    ("scenario", &MIDDLE),
    ("cluster", &MIDDLE),
    ("session", &BELOW_SESSION),
    ("report", &BELOW_REPORT),
    ("sweep", &BELOW_SWEEP),
];
const MIDDLE: [&str; 9] =
    ["engine", "workload", "service", "sql", "ring", "check", "measure", "scenario", "cluster"];
const BELOW_SESSION: [&str; 9] = MIDDLE;
const BELOW_REPORT: [&str; 10] =
    ["engine", "workload", "service", "sql", "ring", "check", "measure", "scenario", "cluster", "session"];
const BELOW_SWEEP: [&str; 6] = ["engine", "measure", "scenario", "cluster", "session", "report"];
/// Modules at the top, and files beside the modules.
const TOP: [&str; 5] = ["ui", "bin", "main", "worker", "lib"];

#[test]
fn imports_go_down_and_never_back_up() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_NAME.into();
    let mut wrong = Vec::new();
    for file in sources() {
        if TOP.contains(&file.module()) {
            continue;
        }
        let Some(below) = allowed.get(file.module()) else {
            wrong.push(format!("{}: module `{}` is in no layer", file.name, file.module()));
            continue;
        };
        for named in modules_named(&file) {
            if named != file.module() && is_ours(&named) && !below.contains(&named.as_str()) {
                wrong.push(format!("{} names `{named}`", file.name));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn the_simulation_uses_nothing_that_differs_between_runs_or_platforms() {
    let mut wrong = Vec::new();
    for file in sources() {
        if ["ui", "bin", "main", "worker"].contains(&file.module()) {
            continue;
        }
        for (number, line) in file.code.lines().enumerate() {
            if let Some(found) = differing(line) {
                wrong.push(format!("{}:{}: {found}", file.name, number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "not the same everywhere:\n{}", wrong.join("\n"));
}

#[test]
fn the_finder_of_what_differs_finds_it_and_nothing_else() {
    for code in [
        "use std::collections::{BTreeMap, HashMap};",
        "let began = Instant::now();",
        "let y = x.ln();",
        "let y = (a + b).powf(2.0);",
        "values.iter().copied().map(f64::exp)",
    ] {
        assert!(differing(code).is_some(), "{code}");
    }
    for code in [
        "libm::log(x)",
        "x.sqrt()",
        "let log = 1;",
        "InstantReply",
        "f64::MAX",
        "self.login()",
        "self.log_reads()",
    ] {
        assert_eq!(differing(code), None, "{code}");
    }
}

#[test]
fn the_finder_of_imports_finds_all_the_ways_to_name_a_module() {
    let named = |name: &str, code: &str| {
        let file = Source { name: name.to_string(), code: without_comments(code) };
        modules_named(&file).into_iter().collect::<Vec<String>>().join(" ")
    };
    assert_eq!(named("sql/a.rs", "use crate::engine::NodeId;"), "engine");
    assert_eq!(named("sql/a.rs", "fn f(_: crate::ring::Token) {}"), "ring");
    assert_eq!(
        named("sql/a.rs", "use crate::{engine::{NodeId, World}, ring, ui as page};"),
        "engine ring ui"
    );
    assert_eq!(
        named("sql/a.rs", "use crate::{\n    engine,\n    cluster::{self, Role},\n};"),
        "cluster engine"
    );
    assert_eq!(named("sql/a.rs", "use super::super::ring::Token; use super::binlog;"), "ring");
    assert_eq!(named("sql/mod.rs", "use super::ring::Token;"), "ring");
    assert_eq!(named("sql/deep/b.rs", "use super::super::super::ring;"), "ring");
    assert_eq!(
        named("sql/a.rs", "// crate::ring\n/// [`World`](crate::ring::World)\nuse faultline::ui;"),
        "ui"
    );
}

// ---------------------------------------------------------------------------

/// The types of `clippy.toml` and other sources of chance.
const WORDS: [&str; 6] = ["HashMap", "HashSet", "Instant", "SystemTime", "SmallRng", "thread_rng"];
/// The methods of `f64` that are left to the platform; libm's are called by name instead.
const METHODS: [&str; 27] = [
    "ln", "ln_1p", "log", "log2", "log10", "exp", "exp2", "exp_m1", "powf", "powi", "sin", "cos", "sin_cos",
    "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt",
    "hypot", "mul_add",
];

/// What a line names that is not the same in every run or on every platform.
/// Found as text, so that it holds where clippy does not run.
fn differing(line: &str) -> Option<&'static str> {
    let word = WORDS.into_iter().find(|word| words_of(line).any(|found| found == *word));
    word.or_else(|| {
        METHODS.into_iter().find(|method| {
            line.contains(&format!(".{method}("))
                || line.split("f64::").skip(1).any(|rest| words_of(rest).next() == Some(method))
        })
    })
}

/// A source file: its path under `src`, and its text without comments.
struct Source {
    name: String,
    code: String,
}

impl Source {
    /// The module at the root of the crate that it belongs to.
    fn module(&self) -> &str {
        let end = self.name.find(['/', '.']).unwrap_or(self.name.len());
        &self.name[..end]
    }

    /// How many `super`s lead from it to the root of the crate.
    fn depth(&self) -> usize {
        let parts = self.name.split('/').count();
        if self.name.ends_with("mod.rs") { parts - 1 } else { parts }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                let relative = path.strip_prefix(&root).expect("it is under src");
                let parts: Vec<&str> = relative.iter().filter_map(|part| part.to_str()).collect();
                files.push(Source { name: parts.join("/"), code: without_comments(&text) });
            }
        }
    }
    files.sort_by(|left, right| left.name.cmp(&right.name));
    assert!(files.len() > 15, "only {} source files were found", files.len());
    files
}

/// The text without line comments, line by line (this project has no block comments).
fn without_comments(text: &str) -> String {
    let code = text.lines().map(|line| match line.find("//") {
        // Not within a string, as far as that can be told: an even number of quotes before.
        Some(at) if line[..at].matches('"').count().is_multiple_of(2) => &line[..at],
        _ => line,
    });
    code.collect::<Vec<&str>>().join("\n")
}

fn is_ours(module: &str) -> bool {
    MAY_NAME.iter().any(|(name, _)| *name == module) || module == "ui"
}

/// The modules at the crate's root that a file names.
fn modules_named(file: &Source) -> BTreeSet<String> {
    let to_root = "super::".repeat(file.depth());
    let mut named = BTreeSet::new();
    for root in ["crate::", "faultline::", &to_root] {
        for (at, _) in file.code.match_indices(root) {
            let before = file.code[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':') {
                continue;
            }
            named.extend(first_names(&file.code[at + root.len()..]));
        }
    }
    named.remove("super");
    named
}

/// The first name of a path, or of each path in braces.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return words_of(path).next().map(str::to_string).into_iter().collect();
    };
    let mut names = Vec::new();
    let (mut depth, mut expected) = (0, true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            _ if expected && character.is_alphabetic() => {
                names.extend(words_of(&group[at..]).next().map(str::to_string));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}
