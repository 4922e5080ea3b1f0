//! Tax ids of those who buy.

use serde_json::json;

use crate::harness::TestApp;

const ABROAD: &str = "DE-123456789";

#[tokio::test]
async fn a_tax_id_is_looked_at_where_the_isp_knows_the_rules() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let berlin = json!({ "address": { "line1": "1 Linden", "city": "Berlin", "country": "DE" }, "taxId": ABROAD });
    let (subscriber, _) = owner.subscriber("Meera", berlin).await;
    let change = async |version: i32, more: serde_json::Value| {
        let mut input = json!({ "id": subscriber, "expectedVersion": version });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let done = owner.mutate("subscriberUpdate", input, "subscriber { taxId }").await;
        done.refusals()
    };
    let mysuru = json!({ "line1": "7 Temple Street", "city": "Mysuru", "region": "KA", "country": "IN" });
    assert_eq!(change(1, json!({ "address": mysuru })).await, ["INVALID taxId"]);
    let authority = json!({ "address": mysuru, "taxId": "29BLRA12345F1DM" });
    assert_eq!(
        change(1, authority).await,
        Vec::<String>::new(),
        "who deducts tax at source buys as well"
    );
    // One that was taken before anybody looked goes on, whatever else is changed.
    app.in_schema("asha", &format!("UPDATE subscriber SET tax_id = '{ABROAD}'"))
        .await;
    let form = json!({ "name": "Meera Rao", "taxId": ABROAD, "address": mysuru });
    assert_eq!(change(2, form).await, Vec::<String>::new());
    assert_eq!(change(3, json!({ "taxId": "29AABCT1332L1ZM" })).await, ["INVALID taxId"]);
    assert_eq!(change(3, json!({ "taxId": null })).await, Vec::<String>::new());
}
