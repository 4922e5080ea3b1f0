//! The examples in `docs/api`: each is executed in its order against an ISP, and its answer compared with the one it shows.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::harness::{Ask, PASSWORD, TestApp, root};

/// A fenced block: its info string and its text.
struct Block {
    line: usize,
    info: String,
    text: String,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut open: Option<Block> = None;
    for (n, line) in markdown.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Block {
                    line: n + 1,
                    info: info.trim().to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => all.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    all
}

/// Values that answers gave, by the name in angle brackets.
type Known = BTreeMap<String, String>;

fn fill(text: &str, known: &Known) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("<{name}>"), value)
    })
}

/// Whether an answer is as shown: members that are not shown do not matter, `…` is anything, and `<name>` is remembered.
fn agrees(shown: &Value, answer: &Value, known: &mut Known) -> bool {
    match (shown, answer) {
        (Value::String(any), _) if any == "…" => !answer.is_null(),
        (Value::String(shown), Value::String(answer)) => match shown.strip_prefix('<').and_then(|s| s.strip_suffix('>')) {
            Some(name) => known.entry(name.to_owned()).or_insert_with(|| answer.clone()) == answer,
            None => shown == answer,
        },
        (Value::Object(shown), Value::Object(answer)) => {
            (shown.iter()).all(|(key, value)| answer.get(key).is_some_and(|found| agrees(value, found, known)))
        }
        (Value::Array(shown), Value::Array(answer)) => {
            shown.len() == answer.len() && shown.iter().zip(answer).all(|(s, a)| agrees(s, a, known))
        }
        _ => shown == answer,
    }
}

fn caller<'a>(app: &'a TestApp, info: &str) -> Ask<'a> {
    match info.split_whitespace().find_map(|word| word.strip_prefix("as=")) {
        None => app.on("asha"),
        Some("owner") => app.on("asha").as_owner(),
        Some(other) => panic!("nobody is called {other}"),
    }
}

/// Runs a page's examples; how many there were.
async fn run(app: &TestApp, name: &str, markdown: &str) -> usize {
    let mut known = Known::from([("password".to_owned(), PASSWORD.to_owned())]);
    let mut asked = None;
    let mut body = json!({});
    let mut count = 0;
    for block in blocks(markdown) {
        let place = format!("docs/api/{name}:{}", block.line);
        let text = fill(&block.text, &known);
        let parse = || serde_json::from_str::<Value>(&text).unwrap_or_else(|e| panic!("{place}: {e}"));
        match block.info.split_whitespace().take(2).collect::<Vec<_>>()[..] {
            ["graphql", ..] => {
                asked = Some(caller(app, &block.info));
                body = json!({ "query": text });
            }
            ["json", "variables"] => body["variables"] = parse(),
            ["json", "request"] => {
                asked = Some(caller(app, &block.info));
                body = parse();
            }
            ["json", "answer"] => {
                let ask = asked.take().unwrap_or_else(|| panic!("{place}: an answer to nothing"));
                let answer = ask.post(body.to_string().into_bytes()).await;
                let shown: Value = serde_json::from_str(&block.text).unwrap_or_else(|e| panic!("{place}: {e}"));
                let whole = shown.get("data").is_some() || shown.get("errors").is_some();
                let found = if whole { &answer.body } else { &answer.body["data"] };
                assert!(
                    agrees(&shown, found, &mut known),
                    "{place}: shown is\n{shown}\nand answered\n{}",
                    answer.text
                );
                assert!(whole || answer.body["errors"].is_null(), "{place}: {}", answer.text);
                count += 1;
            }
            ["json"] => _ = parse(),
            _ => panic!("{place}: what is a block of {:?}?", block.info),
        }
    }
    assert!(asked.is_none(), "docs/api/{name}: the last example has no answer");
    count
}

#[tokio::test]
async fn the_examples_are_true() {
    let app = TestApp::with_rate("50000/200").await;
    let mut examples = 0;
    let mut pages: Vec<_> = (fs::read_dir(root().join("docs/api")).unwrap())
        .map(|f| f.unwrap().path())
        .collect();
    pages.sort();
    assert!(pages.len() >= 8, "{pages:?}");
    for page in pages {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        examples += run(&app, &name, &fs::read_to_string(&page).unwrap()).await;
    }
    assert!(examples >= 20, "{examples}");
    app.jobs_may_remain();
}

#[test]
fn a_wrong_example_would_be_noticed() {
    let mut known = Known::new();
    let mut check = |shown: Value, answer: Value| agrees(&shown, &answer, &mut known);
    assert!(check(
        json!({ "a": "<x>", "b": ["…"] }),
        json!({ "a": "1", "b": [2], "c": 3 })
    ));
    assert!(check(json!("<x>"), json!("1")));
    for (shown, answer) in [
        (json!("<x>"), json!("2")),
        (json!({ "a": 1 }), json!({})),
        (json!([1]), json!([1, 2])),
        (json!({ "a": "…" }), json!({ "a": null })),
        (json!({ "a": null }), json!({ "b": 1 })),
    ] {
        assert!(!check(shown.clone(), answer.clone()), "{shown} {answer}");
    }
}
