//! The promises to integrators: the served schema against `tests/contract`, a copy of what they were given.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::harness::{env, root};

#[test]
fn schema_graphql_is_what_is_served() {
    let file = root().join("schema.graphql");
    let served = trunkline_api::graphql::sdl();
    if env("INSTA_UPDATE").is_some_and(|update| update == "always") {
        fs::write(&file, &served).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == served,
        "schema.graphql is stale: cargo run -p trunkline-api -- schema > schema.graphql, or this test with INSTA_UPDATE=always"
    );
}

#[test]
fn every_promise_is_kept_or_stands_in_the_pending_list() {
    let schema = tempfile::NamedTempFile::new().unwrap();
    fs::write(schema.path(), trunkline_api::graphql::sdl()).unwrap();
    let tests = root().join("tests");
    let out = python()
        .arg(tests.join("contract/check.py"))
        .arg(schema.path())
        .arg("--pending")
        .arg(tests.join("contract-pending.txt"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", text(&out));
}

/// A check that accepts everything would pass as well: without the pending list it must find what is not built.
#[test]
fn the_check_finds_broken_promises() {
    let schema = tempfile::NamedTempFile::new().unwrap();
    let served = trunkline_api::graphql::sdl();
    let broken = served.replacen("simultaneousSessions: Int!", "simultaneousSessions: String", 1);
    assert_ne!(served, broken);
    fs::write(schema.path(), broken).unwrap();
    let tests = root().join("tests");
    let out = python()
        .arg(tests.join("contract/check.py"))
        .arg(schema.path())
        .arg("--pending")
        .arg(tests.join("contract-pending.txt"))
        .output()
        .unwrap();
    assert!(
        !out.status.success() && text(&out).contains("simultaneousSessions"),
        "{}",
        text(&out)
    );
}

/// Where the shared folder stands beside the checkout, our copies must not have drifted from it.
#[test]
fn copies_are_those_that_were_given() {
    let Some(shared) = root()
        .ancestors()
        .map(|a| a.join("shared"))
        .find(|s| s.join("contract").is_dir())
    else {
        return;
    };
    for (ours, theirs) in [
        ("tests/contract/core.graphql", "contract/core.graphql"),
        ("tests/contract/check.py", "contract/check.py"),
        ("tests/contract/README.md", "contract/README.md"),
        ("tests/golden/billing-golden.json", "facts/billing-golden.json"),
    ] {
        let [ours, theirs] =
            [root().join(ours), shared.join(theirs)].map(|p| fs::read(&p).unwrap_or_else(|e| panic!("{}: {e}", p.display())));
        assert!(ours == theirs, "a copy has drifted from the shared folder: copy it again");
    }
}

/// Python with graphql-core: `TRUNKLINE_CONTRACT_PYTHON`, the Makefile's virtual environment, or the machine's own.
pub fn python() -> Command {
    let venv = root().join(".trunkline/venv/bin/python");
    let python = env("TRUNKLINE_CONTRACT_PYTHON")
        .map(PathBuf::from)
        .or_else(|| venv.exists().then_some(venv))
        .unwrap_or_else(|| "python3".into());
    let has_graphql = Command::new(&python).args(["-c", "import graphql"]).output();
    assert!(
        has_graphql.as_ref().is_ok_and(|o| o.status.success()),
        "{} has no graphql-core: make a virtual environment with it (pip install graphql-core) and set TRUNKLINE_CONTRACT_PYTHON",
        python.display()
    );
    Command::new(python)
}

pub fn text(out: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}
