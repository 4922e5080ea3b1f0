//! House rules that a reader of the source can check.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::root;

/// Capabilities, line by line: each may use the lines above its own.
const LINES: &[&[&str]] = &[
    &["kernel"],
    &["jobs", "tenants", "identity"],
    &["branding", "plans", "network", "subscribers"],
    &["audit", "services", "ledger"],
    &["addons", "discounts"],
    &["billing", "radius"],
    &["payments"],
    &["books", "credits"],
    &["dunning"],
    &["runs"],
];
/// What `domain/src/lib.rs` re-exports from the kernel.
const REEXPORTED: &[&str] = &["Actor", "Clock", "Error", "Permission", "Result"];
const LONGEST_FILE: usize = 500;

fn line_of(module: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&module))
}

/// What is wrong with a use of `crate::<used>` in `capability`.
fn breach(capability: &str, used: &str) -> Option<String> {
    if used == capability || REEXPORTED.contains(&used) {
        return None;
    }
    let Some(at) = line_of(used) else {
        return Some(format!("crate::{used} stands in no line"));
    };
    let own = line_of(capability)?;
    (at >= own).then(|| format!("{capability} may not use {used}: it stands on its own line or below"))
}

/// Names that follow `crate::` in code; `crate::{a, b}` gives both. Comments are left out.
fn crate_uses(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .map(|l| l.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut out = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let preceded = code[..at]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
        if preceded {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            out.extend(heads(group));
        } else {
            out.extend(word(rest));
        }
    }
    out
}

fn word(text: &str) -> Option<String> {
    let word: String = text
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

/// First names of the members of a use group whose opening brace has been read.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut out, mut start) = (0, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                out.extend(word(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    out
}

#[test]
fn capabilities_use_only_the_lines_above_them() {
    let src = root().join("domain/src");
    let mut breaches = Vec::new();
    let mut uses = 0;
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).unwrap();
        let capability = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if capability == "lib" {
            continue;
        }
        assert!(
            line_of(&capability).is_some(),
            "{capability}: give it a line in tests/src/tidy.rs and ARCHITECTURE.md"
        );
        for used in crate_uses(&fs::read_to_string(&file).unwrap()) {
            uses += 1;
            breaches.extend(breach(&capability, &used).map(|b| format!("{}: {b}", inside.display())));
        }
    }
    assert!(uses > 100, "only {uses} uses found");
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn the_reader_of_use_lines_reads() {
    let source = "use crate::billing::rules;\n// crate::runs is not code\npub(crate) fn f() { crate::payments::record(); }\nuse crate::{\n    Error,\n    ledger::{post, Entry},\n    plans,\n};\n$crate::x; mycrate::y";
    assert_eq!(crate_uses(source), ["billing", "payments", "Error", "ledger", "plans"]);
    assert!(breach("billing", "ledger").is_none());
    assert!(breach("billing", "Error").is_none());
    for (capability, used) in [
        ("billing", "radius"),
        ("billing", "payments"),
        ("kernel", "plans"),
        ("plans", "nowhere"),
    ] {
        assert!(breach(capability, used).is_some(), "{capability} uses {used}");
    }
}

#[test]
fn domain_knows_no_http_and_no_graphql() {
    for file in rust_files(&root().join("domain/src")) {
        let text = fs::read_to_string(&file).unwrap();
        for word in ["async_graphql", "axum", "tower_http", "hyper"] {
            assert!(!text.contains(word), "{} mentions {word}", file.display());
        }
    }
}

#[test]
fn resolvers_know_no_sql() {
    let files = rust_files(&root().join("api/src/graphql"));
    assert!(files.len() > 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for word in ["sqlx", "sea_orm", "sea_query", ".sql("] {
            assert!(!text.contains(word), "{} mentions {word}", file.display());
        }
    }
}

#[test]
fn files_can_be_read_in_one_sitting() {
    let mut long = Vec::new();
    for part in ["api", "domain", "migration", "tests", "bench", "render"] {
        for file in rust_files(&root().join(part)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > LONGEST_FILE {
                long.push(format!("{} has {lines} lines", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "more than {LONGEST_FILE} lines:\n{}", long.join("\n"));
}

pub fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
    out.sort();
    out
}
