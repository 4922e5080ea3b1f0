//! Ids of one ISP asked on another's host, by every actor there: no trace.

use serde_json::{Value, json};

use super::inputs::Inputs;
use super::poison::poison;
use super::schema::{RootField, Schema};
use super::world::{World, canary, fingerprint, kind_at};
use crate::harness::{Answer, Ask, TestApp};

/// Root fields that nobody who belongs to one ISP may use at all: they are the platform host's.
fn on_platform_only(answer: &Answer) -> bool {
    answer.code().as_deref() == Some("FORBIDDEN")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_of_another_isp_leave_no_trace() {
    let app = TestApp::new().await;
    let theirs = World::fill(&app, "asha").await;
    let ours = World::fill(&app, "chandra").await;
    let schema = Schema::served();
    let mut admin = app.db.admin().await;
    assert!(poison(&mut admin, &theirs.tenant).await > 30);
    let before = fingerprint(&mut admin, &theirs.tenant).await;
    let owner = app.on("chandra").as_owner();
    let others = callers(&app, &ours).await;
    let (mut tried, mut refused) = (0, 0);
    for root in schema.roots() {
        for position in schema.id_positions(&root) {
            for (kind, id) in theirs.ids() {
                let ids = ours.ids_for(&schema, &root, Some((&position, id)));
                let document = schema.document(&root, &Inputs::of(&schema).with_ids(ids).arguments(&root));
                let answer = owner.gql(&document, json!({})).await;
                tried += 1;
                no_trace(&answer, &theirs, Some(id), &document);
                if on_platform_only(&answer) {
                    continue;
                }
                let expected = if root.name() == "node" {
                    *kind
                } else {
                    kind_at(&root, &position)
                };
                if *kind == expected {
                    refused += 1;
                    not_there(&answer, &root, &position, &document);
                    for other in &others {
                        no_trace(&other.gql(&document, json!({})).await, &theirs, Some(id), &document);
                    }
                }
            }
        }
    }
    assert!(tried > 300 && refused > 10, "{tried} tried, {refused} of the right kind");
    assert_eq!(
        fingerprint(&mut admin, &theirs.tenant).await,
        before,
        "the other ISP's rows have changed"
    );
    app.jobs_may_remain();
}

/// A missing object: null in a query, an empty list where it filters, NOT_FOUND in a mutation.
fn not_there(answer: &Answer, root: &RootField, position: &str, document: &str) {
    let value = &answer.body["data"]["answer"];
    if root.mutation {
        let errors = value["userErrors"].as_array().cloned().unwrap_or_default();
        let not_found = errors.iter().any(|e| e["code"] == "NOT_FOUND");
        assert!(not_found, "{} at {position}: {}\n{document}", root.name(), answer.text);
        let nothing = value
            .as_object()
            .unwrap()
            .iter()
            .all(|(k, v)| k == "userErrors" || k == "__typename" || v.is_null());
        assert!(nothing, "{} at {position} did something: {}", root.name(), answer.text);
    } else if position.contains('.') && !position.starts_with("input.") {
        assert_eq!(value["nodes"], json!([]), "{}: {}\n{document}", root.name(), answer.text);
    } else {
        assert!(
            value.is_null() && answer.body["errors"].is_null(),
            "{}: {}\n{document}",
            root.name(),
            answer.text
        );
    }
}

/// No text and no id of the other ISP, but the id that was asked for.
fn no_trace(answer: &Answer, theirs: &World, asked: Option<&str>, document: &str) {
    let slug = &theirs.tenant.slug;
    for text in [canary(slug), canary(slug).replace(' ', "."), format!("canary-of-{slug}")] {
        assert!(!answer.text.contains(&text), "{slug}'s data in {}\n{document}", answer.text);
    }
    for (kind, id) in theirs.ids() {
        let shared = ["director", "account"].contains(kind);
        assert!(
            shared || Some(id.as_str()) == asked || !answer.text.contains(id.as_str()),
            "{slug}'s {id} in {}\n{document}",
            answer.text
        );
    }
    assert!(!answer.text.contains("INTERNAL"), "{}\n{document}", answer.text);
}

/// What everybody of one ISP can list and read holds nothing of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_hold_nothing_of_another_isp() {
    let app = TestApp::new().await;
    let theirs = World::fill(&app, "asha").await;
    let ours = World::fill(&app, "chandra").await;
    assert!(poison(&mut app.db.admin().await, &theirs.tenant).await > 30);
    let schema = Schema::served();
    let (mut own_canary, mut answers) = (0, 0);
    for ask in callers(&app, &ours).await {
        for root in schema.roots().iter().filter(|r| !r.mutation) {
            let ids = ours.ids_for(&schema, root, None);
            let document = schema.document(root, &Inputs::of(&schema).with_ids(ids).arguments(root));
            let answer = ask.gql(&document, json!({})).await;
            no_trace(&answer, &theirs, None, &document);
            answers += 1;
            own_canary += usize::from(answer.text.contains(&canary("chandra")) || answer.text.contains("Canary.of.chandra"));
        }
    }
    assert!(
        answers > 50 && own_canary > 8,
        "{answers} answers, {own_canary} with own data: the documents ask for too little"
    );
    app.jobs_may_remain();
}

async fn callers<'a>(app: &'a TestApp, ours: &World) -> Vec<Ask<'a>> {
    let host = app.on(&ours.tenant.slug);
    vec![
        host.clone(),
        host.as_owner(),
        host.as_login(&format!("nothing@{}.example", ours.tenant.slug)),
        host.as_subscriber(&ours.first.account_number),
        // Owns `chandra` and nothing else.
        app.on_platform().as_director(),
    ]
}

/// A subscriber reaches its own things and no neighbour's of the same ISP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_reaches_no_neighbour() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "asha").await;
    let schema = Schema::served();
    let mut admin = app.db.admin().await;
    let mut rows = async || {
        let mut rows = fingerprint(&mut admin, &world.tenant).await;
        // Wrong passwords of one's own are counted.
        rows.retain(|(table, _)| !table.ends_with(".sign_in_failure"));
        rows
    };
    let me = app.on("asha").as_subscriber(&world.first.account_number);
    me.token().await;
    let before = rows().await;
    let neighbour = "Canary.of.asha-2";
    let mut tried = 0;
    // Signing out, and asking for a link when a password is forgotten, are everybody's to do, and leave their traces.
    let everybodys = ["sessionEnd", "passwordResetRequest"];
    for root in schema.roots().into_iter().filter(|r| !everybodys.contains(&r.name())) {
        // The world's ids of subscribers, services, invoices and payments are the second subscriber's.
        let mut places = schema.id_positions(&root);
        if places.is_empty() {
            places.push(String::new());
        }
        for position in places {
            let kind = if root.name() == "node" || position.is_empty() {
                ""
            } else {
                kind_at(&root, &position)
            };
            let kinds: Vec<&str> = match root.name() {
                "node" => vec!["subscriber", "service", "invoice", "creditnote", "payment", "session"],
                _ => vec![kind],
            };
            for kind in kinds {
                let place = (!kind.is_empty()).then(|| (position.as_str(), world.id(kind)));
                let ids = world.ids_for(&schema, &root, place);
                let document = schema.document(&root, &Inputs::of(&schema).with_ids(ids).arguments(&root));
                let answer = me.gql(&document, json!({})).await;
                tried += 1;
                // Plans are on sale to everybody.
                let text = answer.text.replace(&format!("plan-{neighbour}"), "");
                assert!(!text.contains(neighbour), "a neighbour's data in {}\n{document}", answer.text);
                assert!(
                    !answer.text.contains(&world.second.account_number),
                    "{}\n{document}",
                    answer.text
                );
                let changed = root.mutation
                    && answer.body["errors"].is_null()
                    && answer.body["data"]["answer"]["userErrors"] == Value::Array(vec![]);
                assert!(
                    !changed || allowed_to_subscribers(root.name()),
                    "{} was done for a neighbour: {}",
                    root.name(),
                    answer.text
                );
            }
        }
    }
    assert!(tried > 30);
    let own = me.gql("{ viewer { id } }", json!({})).await;
    assert!(own.text.contains(&world.first.subscriber), "{}", own.text);
    assert_eq!(rows().await, before, "a subscriber has changed the ISP's rows");
    app.jobs_may_remain();
}

/// Mutations that anybody may call and that change nothing of the ISP.
fn allowed_to_subscribers(name: &str) -> bool {
    ["sessionCreate", "subscriberSessionCreate", "sessionRefresh"].contains(&name)
}
