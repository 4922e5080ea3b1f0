//! Who is refused which field below a root field. Committed as text; a field that nobody is refused is not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use super::inputs::Inputs;
use super::matrix::callers;
use super::schema::{RootField, Schema, base};
use super::world::World;
use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_and_who_is_refused_them() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "chandra").await;
    let schema = Schema::served();
    let callers = callers(&app, &world).await;
    let mut seen: BTreeMap<String, Vec<char>> = BTreeMap::new();
    for (n, (_, ask)) in callers.iter().enumerate() {
        for root in schema.roots().iter().filter(|r| !r.mutation && r.name() != "node") {
            let ids = world.ids_for(&schema, root, None);
            let document = schema.document(root, &Inputs::of(&schema).with_ids(ids).arguments(root));
            let answer = ask.gql(&document, json!({})).await;
            let mut reached = BTreeSet::new();
            collect(
                &schema,
                base(&root.definition.ty.node),
                &answer.body["data"]["answer"],
                &mut reached,
            );
            let mut mark = |coordinate: String, sign: char| {
                let signs = seen.entry(coordinate).or_insert_with(|| vec![' '; callers.len()]);
                if signs[n] != '-' {
                    signs[n] = sign;
                }
            };
            reached.into_iter().for_each(|coordinate| mark(coordinate, '+'));
            for error in answer.body["errors"].as_array().into_iter().flatten() {
                if let Some(coordinate) = coordinate(&schema, root, &error["path"]) {
                    mark(coordinate, '-');
                }
            }
        }
    }
    assert!(seen.len() > 100, "only {} fields were reached", seen.len());
    let mut text = String::new();
    for (n, (name, _)) in callers.iter().enumerate() {
        writeln!(text, "{:1$}{name}", "", n * 3).unwrap();
    }
    for (coordinate, signs) in seen.iter().filter(|(_, signs)| signs.contains(&'-')) {
        let signs: String = signs.iter().map(|s| format!("{s}  ")).collect();
        writeln!(text, "{signs}{coordinate}").unwrap();
    }
    app.jobs_may_remain();
    insta::assert_snapshot!(text);
}

/// Every `Type.field` that has been answered, null or not.
fn collect(schema: &Schema, type_name: &str, value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(schema, type_name, item, out)),
        // An object of a JSON scalar is no type of ours.
        Value::Object(fields) if schema.is_object(type_name) => {
            for (name, inner) in fields.iter().filter(|(name, _)| *name != "__typename") {
                let below = schema
                    .field(type_name, name)
                    .unwrap_or_else(|| panic!("{type_name} has no {name}"));
                out.insert(format!("{type_name}.{name}"));
                collect(schema, base(&below.ty.node), inner, out);
            }
        }
        _ => {}
    }
}

/// The field below the root that an error's path names.
fn coordinate(schema: &Schema, root: &RootField, path: &Value) -> Option<String> {
    let mut type_name = base(&root.definition.ty.node).to_owned();
    let mut last = None;
    for name in path.as_array()?.iter().skip(1).filter_map(Value::as_str) {
        let field = schema.field(&type_name, name)?;
        last = Some(format!("{type_name}.{name}"));
        type_name = base(&field.ty.node).to_owned();
    }
    last
}
