//! What clients of the last release rely on stays: the served schema against `tests/contract/released.graphql`.

use std::fs;

use trunkline_domain::kernel::Clock;

use crate::contract::{python, text};
use crate::harness::root;

/// What the check says about a schema that takes this one's place; None when it is content.
fn objections(released: &str, served: &str, today: &str) -> Option<String> {
    let [old, new] = [released, served].map(|sdl| {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), sdl).unwrap();
        file
    });
    let out = python()
        .arg(root().join("tests/contract/breaking.py"))
        .args([old.path(), new.path()])
        .args(["--today", today])
        .output()
        .unwrap();
    (!out.status.success()).then(|| text(&out))
}

fn released() -> String {
    fs::read_to_string(root().join("tests/contract/released.graphql")).unwrap()
}

#[test]
fn clients_of_the_last_release_are_served() {
    let today = Clock::real().date_naive().to_string();
    if let Some(broken) = objections(&released(), &trunkline_api::graphql::sdl(), &today) {
        panic!("{broken}");
    }
}

#[test]
fn what_breaks_clients_is_refused() {
    let sdl = "
        type Query { plan(id: ID!, at: Int): Plan  old: Int }
        type Plan { id: ID!  code: String!  speed: Int! }
        enum Kind { A B }
        input Input { name: String  kind: Kind }
        type Mutation { do(input: Input!): Plan }";
    let today = "2026-11-22";
    assert_eq!(objections(sdl, sdl, today), None);
    for (from, to, named) in [
        ("code: String!", "", "Plan.code was removed"),
        ("speed: Int!", "speed: Int", "Plan.speed changed type"),
        ("name: String ", "name: String!", "Input.name changed type"),
        ("code: String!", "code: ID!", "Plan.code changed type"),
        ("at: Int", "at: Int, by: Int!", "required arg by"),
        (", at: Int", "", "arg at was removed"),
        ("kind: Kind }", "kind: Kind  must: Int! }", "required field must"),
        ("A B", "A", "B was removed from enum"),
        ("type Mutation { do(input: Input!): Plan }", "", "Mutation"),
    ] {
        let changed = sdl.replacen(from, to, 1);
        assert_ne!(changed, sdl, "{from}");
        let objection = objections(sdl, &changed, today).unwrap_or_else(|| panic!("{from} → {to} passed"));
        assert!(objection.contains(named), "{objection}");
    }
    for added in [
        ("code: String!", "code: String! more: Int"),
        ("name: String ", "name: String more: Int "),
        ("A B", "A B C"),
        ("at: Int", "at: Int, by: Int"),
    ] {
        assert_eq!(objections(sdl, &sdl.replacen(added.0, added.1, 1), today), None, "{added:?}");
    }
}

#[test]
fn what_was_deprecated_goes_when_its_day_is_over() {
    let with = |reason: &str| {
        format!(
            "type Query {{ a: Int  b: Int @deprecated(reason: \"{reason}\") }} enum E {{ X Y @deprecated(reason: \"{reason}\") }} type T {{ e: E }}"
        )
    };
    let without = "type Query { a: Int } enum E { X } type T { e: E }";
    let promised = with("Use a; removed after 2027-05-01.");
    assert!(
        objections(&promised, without, "2027-05-01").is_some(),
        "the day itself is not over"
    );
    assert_eq!(objections(&promised, without, "2027-05-02"), None);
    assert!(
        objections(&with("Use a."), without, "2030-01-01").is_some(),
        "nobody was told until when"
    );
}

/// People see what a name means where they look it up, in GraphiQL and in generated code.
#[test]
fn everything_says_what_it_is() {
    let schema = tempfile::NamedTempFile::new().unwrap();
    fs::write(schema.path(), trunkline_api::graphql::sdl()).unwrap();
    let out = python()
        .arg(root().join("tests/contract/described.py"))
        .arg(schema.path())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", text(&out));
    let bare = "type Query { \"said\" a(b: Int): Int } enum E { X }";
    fs::write(schema.path(), bare).unwrap();
    let out = python()
        .arg(root().join("tests/contract/described.py"))
        .arg(schema.path())
        .output()
        .unwrap();
    let said = text(&out);
    assert!(
        !out.status.success() && ["Query", "Query.a(b)", "E.X"].iter().all(|n| said.contains(n)),
        "{said}"
    );
}
