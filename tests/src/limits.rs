//! Requests that are malformed, absurd or too large: one clear error, never an internal one. Values are tried at every
//! argument of the served schema.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Answer, Ask, TestApp};
use crate::isolation::inputs::Inputs;
use crate::isolation::schema::{RootField, Schema};
use crate::isolation::world::World;

/// GraphQL literals that a scalar must refuse.
fn malformed(scalar: &str) -> &'static [&'static str] {
    match scalar {
        "ID" => &[
            r#""""#,
            r#""x""#,
            r#""plan_""#,
            r#""plan_0""#,
            r#""plan_ZZ939f00000000000000000000000000""#,
            r#""' OR 1=1 --""#,
            r#""plan_\u0000""#,
            "0",
        ],
        "Int" => &["-1", "2147483648", "-2147483649", "1.5", r#""1""#, "99999999999999999999"],
        "Decimal" => &[
            "1",
            "1.5",
            r#""""#,
            r#""x""#,
            r#""1e5""#,
            r#""NaN""#,
            r#""Infinity""#,
            r#""1,5""#,
            r#"" 1""#,
            r#""0x10""#,
            r#""12345678901234567890.00""#,
            r#""1.00001""#,
        ],
        "Date" => &[
            r#""2026-02-30""#,
            r#""2026-2-1""#,
            r#""20260201""#,
            r#""2026-02-01T00:00:00Z""#,
            r#""0000-00-00""#,
            r#""today""#,
            "20260201",
        ],
        "DateTime" => &[
            r#""2026-02-01""#,
            r#""2026-02-01T25:00:00Z""#,
            r#""2026-02-01T00:00:00""#,
            r#""now""#,
            "0",
        ],
        "UUID" => &[r#""""#, r#""x""#, r#""00000000-0000-0000-0000-00000000000""#, "1"],
        "BigInt" => &["1", r#""""#, r#""x""#, r#""1.5""#, r#""-1""#, r#""99999999999999999999""#],
        "CurrencyCode" => &[r#""""#, r#""inr""#, r#""XQQ""#, r#""INRR""#, r#""₹""#, "1"],
        "Boolean" => &["0", r#""true""#],
        _ => &[],
    }
}

/// Texts that no field may stumble over, whether it takes them or not.
fn odd_texts() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        " ",
        "\u{0}",
        "a\u{0}b",
        "'; DROP TABLE plan; --",
        "\u{202e}evil",
        "%{sql:SELECT 1}",
        "😀",
        "\r\nX: y",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("x".repeat(20_000));
    all
}

/// Not carried out for the size of a value, but never a defect.
#[track_caller]
fn sound(answer: &Answer, document: &str) {
    let short: String = document.chars().take(600).collect();
    assert_eq!(answer.status, StatusCode::OK, "{}\n{short}", answer.text);
    for error in answer.body["errors"].as_array().into_iter().flatten() {
        let code = error["extensions"]["code"].as_str().unwrap_or("none");
        assert!(
            ["BAD_ARGUMENT", "FORBIDDEN", "TENANT_SUSPENDED", "UNAVAILABLE"].contains(&code),
            "{}\n{short}",
            answer.text
        );
    }
}

fn refused(answer: &Answer) -> bool {
    let said = |what: &str| {
        let all = answer.body["data"]["answer"][what].as_array();
        all.is_some_and(|e| !e.is_empty())
    };
    // A preview says why the mutation would be refused.
    !answer.body["errors"].is_null() || said("userErrors") || said("refusals")
}

/// Where a root field is served: on the ISP's host or on the platform's.
async fn place_to_ask<'a>(app: &'a TestApp, schema: &Schema, root: &RootField, world: &World) -> Ask<'a> {
    let owner = app.on(&world.tenant.slug).as_owner();
    let ids = world.ids_for(schema, root, None);
    let document = schema.document(root, &Inputs::of(schema).with_ids(ids).arguments(root));
    let answer = owner.gql(&document, json!({})).await;
    match answer.code().as_deref() {
        Some("FORBIDDEN") => app.on_platform().as_platform_staff(),
        _ => owner,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_values_are_refused_wherever_they_stand() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "chandra").await;
    let schema = Schema::served();
    let mut tried = 0;
    for root in schema.roots() {
        let ask = place_to_ask(&app, &schema, &root, &world).await;
        for (place, scalar) in schema.positions(&root) {
            for literal in malformed(&scalar) {
                let inputs = Inputs::of(&schema)
                    .with_ids(world.ids_for(&schema, &root, None))
                    .with_literal(&place, literal);
                let document = schema.document(&root, &inputs.arguments(&root));
                let answer = ask.gql(&document, json!({})).await;
                sound(&answer, &document);
                // Another kind's id is nobody's here.
                let value = &answer.body["data"]["answer"];
                let nothing = !root.mutation && (value.is_null() || value["nodes"] == json!([]));
                assert!(
                    refused(&answer) || nothing,
                    "{} took {literal} at {place}: {}",
                    root.name(),
                    answer.text
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried}");
    app.jobs_may_remain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_texts_are_no_defect_anywhere() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "chandra").await;
    let schema = Schema::served();
    let mut tried = 0;
    for root in schema.roots() {
        let ask = place_to_ask(&app, &schema, &root, &world).await;
        for (place, scalar) in schema.positions(&root) {
            if scalar != "String" {
                continue;
            }
            for text in odd_texts() {
                let literal = serde_json::to_string(&text).unwrap();
                let inputs = Inputs::of(&schema)
                    .with_ids(world.ids_for(&schema, &root, None))
                    .with_literal(&place, &literal);
                let document = schema.document(&root, &inputs.arguments(&root));
                sound(&ask.gql(&document, json!({})).await, &document);
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
    app.jobs_may_remain();
}

#[tokio::test]
async fn pages_have_at_most_a_hundred_objects_and_cursors_of_ours() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "chandra").await;
    let schema = Schema::served();
    let cursors = [
        r#""""#,
        r#""x""#,
        r#""!!!!""#,
        r#""W10""#,
        r#""bnVsbA""#,
        r#""WyJ4Il0""#,
        r#""WzEsMl0""#,
        r#""eyJhIjoxfQ""#,
    ];
    let mut lists = 0;
    for root in schema.roots().iter().filter(|r| !r.mutation) {
        if !schema.positions(root).iter().any(|(place, _)| place == "first") {
            continue;
        }
        lists += 1;
        let ask = place_to_ask(&app, &schema, root, &world).await;
        let tries = ["-1", "101", "2147483647"]
            .map(|n| ("first", n))
            .into_iter()
            .chain(cursors.map(|c| ("after", c)));
        for (place, literal) in tries {
            let inputs = Inputs::of(&schema)
                .with_ids(world.ids_for(&schema, root, None))
                .with_literal(place, literal);
            let arguments = inputs.arguments(root);
            let document = format!("{{ {}{arguments} {{ totalCount }} }}", root.name());
            let answer = ask.gql(&document, json!({})).await;
            assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"), "{document}: {}", answer.text);
        }
    }
    assert!(lists >= 6, "{lists} lists");
    app.jobs_may_remain();
}

#[tokio::test]
async fn what_is_not_graphql_is_a_bad_request() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    for body in [
        "",
        "x",
        "null",
        "1",
        "[]",
        "{}",
        "{\"query\":1}",
        "{\"query\":null}",
        "{\"query\":\"\"}",
        "[{\"query\":\"{ __typename }\"}]",
        "{\"query\":\"{ __typename }\"",
        "{\"query\":\"{ __typename }\",\"variables\":[1]}",
        "\u{feff}{}",
        "query=%7B__typename%7D",
    ] {
        let answer = owner.post(body.as_bytes().to_vec()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:?}: {}", answer.text);
        assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"), "{body:?}");
    }
    assert_eq!(owner.post(vec![0xff, 0xfe, 0x00]).await.status, StatusCode::BAD_REQUEST);
    for query in [
        "{",
        "{ nothing }",
        "subscription { x }",
        "query($x: Nothing) { __typename }",
        "mutation { planCreate { plan { id } } }",
        "{ plan }",
    ] {
        let answer = owner.gql(query, json!({})).await;
        assert_eq!(answer.code().as_deref(), Some("BAD_ARGUMENT"), "{query}: {}", answer.text);
        assert!(answer.body["data"].is_null(), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn more_than_a_mebibyte_is_too_large() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let body = |len: usize| {
        let frame = json!({ "query": "{ __typename }", "operationName": null, "variables": { "x": "" } }).to_string();
        let padding = "x".repeat(len - frame.len());
        frame.replace("\"x\":\"\"", &format!("\"x\":\"{padding}\"")).into_bytes()
    };
    assert_eq!(owner.post(body(1024 * 1024)).await.status, StatusCode::OK);
    assert_eq!(owner.post(body(1024 * 1024 + 1)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        owner.post(vec![b' '; 5 * 1024 * 1024]).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

/// `subscriber { billTo { billTo … { id } } }` with this many levels below the root.
fn deep(levels: usize) -> String {
    let mut inner = "id".to_owned();
    for _ in 2..levels {
        inner = format!("billTo {{ {inner} }}");
    }
    format!("subscriber(id: \"subscriber_00000000000000000000000000000000\") {{ {inner} }}")
}

#[tokio::test]
async fn what_asks_for_too_much_is_too_complex() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let ten = owner.gql(&format!("{{ {} }}", deep(10)), json!({})).await;
    assert_eq!(ten.at("subscriber"), Value::Null);
    let inner = deep(9);
    let aliases: Vec<String> = (0..400)
        .map(|n| format!("a{n}: plans(first: 100) {{ nodes {{ id name code }} }}"))
        .collect();
    for document in [
        format!("{{ {} }}", deep(11)),
        format!("{{ {} }}", deep(40)),
        // Through fragments, named and inline.
        format!("{{ ...F }} fragment F on Query {{ {} }}", deep(11)),
        format!("{{ ... on Query {{ ... {{ {} }} }} }}", deep(12)),
        format!("{{ {} }}", inner.replacen("{ id }", "{ ...Deep }", 1)) + " fragment Deep on Subscriber { billTo { billTo { billTo { id } } } }",
        format!("{{ {} }}", aliases.join(" ")),
        "{ subscribers(first: 100) { nodes { services(first: 100) { nodes { subscriber { services(first: 100) { nodes { id } } } } } } } }".into(),
    ] {
        let answer = owner.gql(&document, json!({})).await;
        assert_eq!(answer.code().as_deref(), Some("TOO_COMPLEX"), "{document:.200}: {}", answer.text);
        assert!(answer.body["data"].is_null());
    }
    // A cycle is no way round, and nothing hangs.
    let cycle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
    assert_eq!(owner.gql(cycle, json!({})).await.code().as_deref(), Some("BAD_ARGUMENT"));
    let brackets = format!("{{ a(x: {}{}) }}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(owner.gql(&brackets, json!({})).await.code().is_some());
    let directives = format!("{{ __typename {} }}", "@include(if: true) ".repeat(100));
    assert!(owner.gql(&directives, json!({})).await.code().is_some());
}

/// The standard introspection query nests deeper than the limit and must pass.
#[tokio::test]
async fn tools_may_look_at_the_schema() {
    let app = TestApp::new().await;
    let of_type = (0..7).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    let query = format!(
        "{{ __schema {{ types {{ name fields {{ name args {{ name type {{ {of_type} }} }} type {{ {of_type} }} }} }} }} }}"
    );
    let answer = app.on("asha").gql(&query, json!({})).await;
    let types = answer.at("__schema.types");
    assert!(types.as_array().unwrap().len() > 50);
}
