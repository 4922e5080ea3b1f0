use std::sync::Arc;

use serde_json::{Value, json};
use trunkline_domain::Actor;
use trunkline_domain::kernel::Permissions;
use trunkline_domain::kernel::ids::{InvoiceId, PlanId, StaffId, SubscriberId};

use super::isp::{ISSUE, Isp, key, line, refusals};

#[tokio::test]
async fn each_fault_of_a_manual_invoice_is_named() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(None).await.to_string();
    let with = |change: Value| {
        let mut input = json!({ "subscriberId": subscriber, "lines": [line("5")], "idempotencyKey": key() });
        let changes = change.as_object().unwrap();
        input.as_object_mut().unwrap().extend(changes.clone());
        input
    };
    let one = |line: Value| json!({ "lines": [line] });
    for (change, expected) in [
        (json!({ "lines": [] }), "lines REQUIRED"),
        (json!({ "lines": vec![line("1"); 201] }), "lines INVALID"),
        (
            one(json!({ "description": " ", "unitPrice": "1" })),
            "lines.0.description REQUIRED",
        ),
        (
            one(json!({ "description": "x", "unitPrice": "-0.01" })),
            "lines.0.unitPrice INVALID",
        ),
        (
            one(json!({ "description": "x", "unitPrice": "0.001" })),
            "lines.0.unitPrice INVALID",
        ),
        (
            one(json!({ "description": "x", "unitPrice": "1000000000.01" })),
            "lines.0.unitPrice INVALID",
        ),
        (
            one(json!({ "description": "x", "unitPrice": "1", "quantity": "0" })),
            "lines.0.quantity INVALID",
        ),
        (
            one(json!({ "description": "x", "unitPrice": "1", "quantity": "-2" })),
            "lines.0.quantity INVALID",
        ),
        (
            one(json!({ "description": "x", "unitPrice": "1", "quantity": "1000001" })),
            "lines.0.quantity INVALID",
        ),
        (
            one(json!({ "description": "x", "unitPrice": "1000000000", "quantity": "1000000" })),
            "lines INVALID",
        ),
        (
            json!({ "lines": [line("1"), { "description": "x", "unitPrice": "1", "taxCode": "123" }] }),
            "lines.1.taxCode INVALID",
        ),
        (json!({ "dueOn": "2026-03-31" }), "dueOn INVALID"),
        (
            json!({ "subscriberId": SubscriberId::new().to_string() }),
            "subscriberId NOT_FOUND",
        ),
        (json!({ "subscriberId": PlanId::new().to_string() }), "subscriberId NOT_FOUND"),
        (json!({ "subscriberId": "nonsense" }), "subscriberId INVALID"),
    ] {
        let payload = isp.issue_input(with(change.clone())).await;
        assert_eq!(refusals(&payload), [expected], "{change}");
        assert_eq!(payload["invoice"], Value::Null);
    }
    let ok = isp.issue_input(with(json!({ "dueOn": "2026-04-01" }))).await;
    assert_eq!(ok["invoice"]["number"], "IN/26-27/000001");
    let again = isp.issue_input(with(json!({}))).await;
    assert_eq!(again["invoice"]["dueOn"], "2026-04-16");
}

#[tokio::test]
async fn quantities_and_prices_read_as_they_were_written() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(None).await;
    let lines = json!([{ "description": "Cable, metres", "unitPrice": "12.5", "quantity": "3.30" }, line("0")]);
    let invoice = isp.issued(subscriber, lines).await;
    let first = &invoice["lines"][0];
    assert_eq!(
        (&first["quantity"], &first["unitPrice"], &first["amount"]["amount"]),
        (&json!("3.3"), &json!("12.50"), &json!("41.25"))
    );
    assert_eq!(invoice["lines"][1]["amount"]["amount"], "0.00");
    let free = isp.issued(subscriber, json!([line("0")])).await;
    assert_eq!(
        (&free["status"], &free["amountDue"]["amount"]),
        (&json!("PAID"), &json!("0.00"))
    );
}

#[tokio::test]
async fn it_goes_to_whoever_pays() {
    let isp = Isp::open("in-broadband").await;
    let payer = isp.subscriber(None).await;
    let child = isp.subscriber_of(None, Some(payer)).await;
    let invoice = isp.issued(child, json!([line("5")])).await;
    assert_eq!(invoice["subscriber"]["id"], payer.to_string());
    assert_eq!(invoice["lines"][0]["subscriber"]["id"], child.to_string());
    let document = "query ($id: ID!) { subscriber(id: $id) { invoices(first: 5) { totalCount } } }";
    for (id, count) in [(payer, 1), (child, 0)] {
        let data = isp.ask(document, json!({ "id": id.to_string() })).await;
        assert_eq!(data["subscriber"]["invoices"]["totalCount"], count);
    }
}

#[tokio::test]
async fn lists_are_newest_first_and_filtered() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(None).await;
    let mut ids = Vec::new();
    for day in ["2026-04-01", "2026-05-01", "2026-06-01"] {
        isp.on(day);
        ids.push(isp.issued(subscriber, json!([line("5")])).await["id"].clone());
    }
    isp.on("2026-05-20");
    let document =
        "query ($first: Int!, $after: String, $filter: InvoiceFilter) { invoices(first: $first, after: $after, filter: $filter) {
        nodes { id } pageInfo { hasNextPage endCursor } totalCount } }";
    let first = isp.ask(document, json!({ "first": 2 })).await["invoices"].clone();
    assert_eq!(first["nodes"], json!([{ "id": ids[2] }, { "id": ids[1] }]));
    let rest = isp
        .ask(document, json!({ "first": 2, "after": first["pageInfo"]["endCursor"] }))
        .await["invoices"]
        .clone();
    assert_eq!(
        (&rest["nodes"], &rest["pageInfo"]["hasNextPage"]),
        (&json!([{ "id": ids[0] }]), &json!(false))
    );
    for (filter, count) in [
        (json!({ "overdue": true }), 2),
        (json!({ "overdue": false }), 1),
        (json!({ "status": "PAID" }), 0),
        (json!({ "status": "ISSUED" }), 3),
        (json!({ "issued": { "from": "2026-05-01", "to": "2026-06-01" } }), 2),
        (json!({ "subscriberId": subscriber.to_string() }), 3),
        (json!({ "subscriberId": SubscriberId::new().to_string() }), 0),
        (json!({ "subscriberId": PlanId::new().to_string() }), 0),
    ] {
        let found = isp.ask(document, json!({ "first": 10, "filter": filter })).await["invoices"].clone();
        assert_eq!(found["totalCount"], count, "{filter}");
        assert_eq!(found["nodes"].as_array().unwrap().len(), count, "{filter}");
    }
    for filter in [
        json!({ "issued": { "from": "2026-05-02", "to": "2026-05-01" } }),
        json!({ "issued": { "from": "2026-01-01", "to": "2028-03-11" } }),
        json!({ "subscriberId": "nonsense" }),
    ] {
        let variables = json!({ "first": 1, "filter": filter });
        let answer = isp.ask_as(&isp.tenant, isp.staff.clone(), document, variables).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_ARGUMENT", "{answer}");
    }
}

#[tokio::test]
async fn who_may_see_and_do_what() {
    let isp = Isp::open("in-broadband").await;
    let (own, other) = (isp.subscriber(None).await, isp.subscriber(None).await);
    let mine = isp.issued(own, json!([line("5")])).await["id"].clone();
    let others = isp.issued(other, json!([line("5")])).await["id"].clone();
    let portal = Actor::Subscriber {
        id: own,
        name: "Asha".into(),
    };
    let clerk = Actor::Staff {
        id: StaffId::new(),
        name: "Clerk".into(),
        permissions: Arc::new(Permissions::default()),
    };
    let find = "query ($id: ID!) { invoice(id: $id) { id lines { amount { amount } } taxes { name } } node(id: $id) { id } }";
    let list = "{ invoices(first: 10) { totalCount nodes { id } } }";
    let neighbour = isp.neighbour().await;

    let seen = isp.ask_as(&isp.tenant, portal.clone(), find, json!({ "id": mine })).await;
    assert_eq!(seen["data"]["invoice"]["lines"].as_array().map(Vec::len), Some(1), "{seen}");
    let nothing = json!({ "data": { "invoice": null, "node": null } });
    assert_eq!(
        isp.ask_as(&isp.tenant, portal.clone(), find, json!({ "id": others })).await,
        nothing
    );
    let listed = isp.ask_as(&isp.tenant, portal.clone(), list, json!({})).await;
    assert_eq!(
        listed["data"]["invoices"],
        json!({ "totalCount": 1, "nodes": [{ "id": mine }] })
    );
    // The same id asked for in another ISP's house, and one that nobody has.
    assert_eq!(
        isp.ask_as(&neighbour, isp.staff.clone(), find, json!({ "id": mine })).await,
        nothing
    );
    let unknown = json!({ "id": InvoiceId::new().to_string() });
    assert_eq!(isp.ask_as(&isp.tenant, isp.staff.clone(), find, unknown).await, nothing);

    let input = json!({ "subscriberId": own.to_string(), "lines": [line("5")], "idempotencyKey": key() });
    let add = "mutation { taxRegistrationAdd(input: { country: \"IN\", taxId: \"x\" }) { userErrors { code } } }";
    for actor in [portal, clerk.clone(), Actor::Anonymous] {
        let code = match actor {
            Actor::Anonymous => "UNAUTHENTICATED",
            _ => "FORBIDDEN",
        };
        for (document, variables) in [
            (ISSUE, json!({ "input": input })),
            (add, json!({})),
            ("{ billingSettings { dueDays } }", json!({})),
            ("{ taxRegistrations { taxId } }", json!({})),
        ] {
            let answer = isp.ask_as(&isp.tenant, actor.clone(), document, variables).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{document}: {answer}");
        }
    }
    let refused = isp.ask_as(&isp.tenant, clerk, list, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let abroad = isp
        .ask_as(&neighbour, isp.staff.clone(), ISSUE, json!({ "input": input }))
        .await;
    assert_eq!(refusals(&abroad["data"]["invoiceIssue"]), ["subscriberId NOT_FOUND"]);
}

#[tokio::test]
async fn settings_are_the_templates() {
    let document = "{ billingSettings { anchor calendarDay activation prepaidRenewal renewalLeadDays dueDays graceDays
        terminateAfterDays lateFee suspensionCredit terminationCredit planChangeDocument taxLevel roundingMode roundInvoiceTo
        invoiceNumberPattern creditNoteNumberPattern fiscalYearStartMonth runHour version } }";
    let mut expected = json!({
        "anchor": "ANNIVERSARY", "calendarDay": 1, "activation": "ON_CREATE", "prepaidRenewal": "INVOICE", "renewalLeadDays": 0,
        "dueDays": 15, "graceDays": 3, "terminateAfterDays": null, "lateFee": null, "suspensionCredit": "NONE",
        "terminationCredit": "UNUSED_DAYS", "planChangeDocument": "CREDIT_NOTE_AND_INVOICE", "taxLevel": "LINE",
        "roundingMode": "HALF_UP", "roundInvoiceTo": null, "invoiceNumberPattern": "IN/{FY}/{SEQ:6}",
        "creditNoteNumberPattern": "CN/{FY}/{SEQ:6}", "fiscalYearStartMonth": 4, "runHour": 0, "version": 1
    });
    let india = Isp::open("in-broadband").await;
    assert_eq!(india.ask(document, json!({})).await["billingSettings"], expected);
    let kenya = Isp::open("ke-hotspot").await;
    expected["activation"] = json!("ON_PAYMENT");
    expected["invoiceNumberPattern"] = json!("INV/{YYYY}/{SEQ:6}");
    expected["creditNoteNumberPattern"] = json!("CN/{YYYY}/{SEQ:6}");
    expected["fiscalYearStartMonth"] = json!(1);
    assert_eq!(kenya.ask(document, json!({})).await["billingSettings"], expected);
}
