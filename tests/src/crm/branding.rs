use serde_json::{Value, json};
use trunkline_api::graphql::ctx::Host;
use trunkline_domain::kernel::Actor;

use super::ground::{Ground, input, owner, refusals, staff_who_may, top, with};

const FIELDS: &str = "{ displayName logoUrl primaryColor accentColor supportEmail supportPhone legalName address version }";
const UPDATE: &str = "mutation($input: BrandingUpdateInput!) { brandingUpdate(input: $input) {
    branding { displayName logoUrl primaryColor accentColor supportEmail supportPhone legalName address version }
    userErrors { field code message } } }";

/// Known values, whatever the templates say.
async fn ground() -> Ground {
    let ground = Ground::new().await;
    for isp in 0..2 {
        let name = &ground.app.db.tenants[isp].slug;
        let row = format!(
            "UPDATE branding SET display_name = '{name}', primary_color = '#112233', accent_color = '#445566',
                 support_email = 'help@{name}.example', legal_name = '{name} Ltd', address = '{{12 MG Road,Bengaluru}}'"
        );
        ground.sql(isp, &row).await;
    }
    ground
}

async fn seen(ground: &Ground, isp: usize, actor: Actor) -> Value {
    let mut answer = ground.ask(isp, actor, &format!("{{ branding {FIELDS} }}"), json!({})).await;
    assert_eq!(top(&answer), [""; 0]);
    answer["data"]["branding"].take()
}

#[tokio::test]
async fn anyone_sees_the_branding_of_the_host_that_was_asked() {
    let ground = ground().await;
    let mine = json!({
        "displayName": "asha", "logoUrl": null, "primaryColor": "#112233", "accentColor": "#445566",
        "supportEmail": "help@asha.example", "supportPhone": null, "legalName": "asha Ltd",
        "address": ["12 MG Road", "Bengaluru"], "version": 1,
    });
    assert_eq!(seen(&ground, 0, Actor::Anonymous).await, mine);
    assert_eq!(seen(&ground, 0, staff_who_may(&[])).await, mine);
    assert_eq!(seen(&ground, 1, Actor::Anonymous).await["displayName"], "baraka");
    let answer = ground
        .ask_on(Host::Platform, Actor::Anonymous, "{ branding { version } }", json!({}))
        .await;
    assert_eq!(answer, json!({ "data": { "branding": null } }));
}

#[tokio::test]
async fn the_branding_is_changed_by_who_may() {
    let ground = ground().await;
    let before = seen(&ground, 0, owner()).await;
    let change = input(
        json!({ "expectedVersion": 1, "displayName": "Asha Net", "primaryColor": "#AABBCC",
        "supportEmail": null, "supportPhone": "1800 425 1234", "address": ["1 Main Road"] }),
    );
    for (actor, code) in [
        (Actor::Anonymous, "UNAUTHENTICATED"),
        (staff_who_may(&["plan:write"]), "FORBIDDEN"),
    ] {
        assert_eq!(top(&ground.ask(0, actor, UPDATE, change.clone()).await), [code]);
    }
    assert_eq!(seen(&ground, 0, owner()).await, before);

    let answer = ground
        .ask(0, staff_who_may(&["branding:write"]), UPDATE, change.clone())
        .await;
    let after = with(
        &before,
        json!({ "displayName": "Asha Net", "primaryColor": "#aabbcc", "supportEmail": null,
        "supportPhone": "1800 425 1234", "address": ["1 Main Road"], "version": 2 }),
    );
    assert_eq!(
        answer["data"]["brandingUpdate"],
        json!({ "branding": after, "userErrors": [] })
    );
    assert_eq!(seen(&ground, 0, Actor::Anonymous).await, after);
    assert_eq!(seen(&ground, 1, Actor::Anonymous).await["version"], 1);

    for (change, expected) in [
        (json!({ "expectedVersion": 1 }), "STALE_VERSION expectedVersion"),
        (json!({ "displayName": null }), "REQUIRED displayName"),
        (json!({ "legalName": " " }), "REQUIRED legalName"),
        (json!({ "primaryColor": "blue" }), "INVALID primaryColor"),
        (json!({ "accentColor": "#fff" }), "INVALID accentColor"),
        (json!({ "supportEmail": "help" }), "INVALID supportEmail"),
        (json!({ "supportPhone": "call us" }), "INVALID supportPhone"),
        (json!({ "address": ["a", "b", "c", "d", "e", "f", "g"] }), "INVALID address"),
        (json!({ "address": ["a", "\u{0}"] }), "INVALID address.1"),
    ] {
        let data = ground
            .owner(UPDATE, input(with(&json!({ "expectedVersion": 2 }), change.clone())))
            .await;
        assert_eq!(refusals(&data["brandingUpdate"]), [expected], "{change}");
    }
    assert_eq!(seen(&ground, 0, owner()).await, after);
}
