//! Invoices that are withdrawn: where the law lets one, while nothing is paid, and with all that they charged.

use serde_json::{Value, json};
use trunkline_domain::runs::{self, VoidInvoice};
use trunkline_domain::{Error, payments};
use uuid::Uuid;

use super::isp::{GSTIN_KA, Isp, key, line, refusals};
use crate::harness::{Ask, TestApp, id};
use crate::payments::isp::{cash, isp};

const VOID: &str = "mutation ($input: InvoiceVoidInput!) { invoiceVoid(input: $input) {
    invoice { id number status voidedAt voidReason amountDue { amount } amountPaid { amount } amountCredited { amount } total { amount } }
    userErrors { field code message } } }";

impl Isp {
    async fn void(&self, invoice: &Value) -> Value {
        let input = json!({ "invoiceId": invoice["id"], "reason": "Wrong customer", "idempotencyKey": key() });
        self.ask(VOID, json!({ "input": input })).await["invoiceVoid"].clone()
    }
}

#[tokio::test]
async fn a_void_invoice_is_owed_by_nobody_and_its_number_stays_used() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(Some("KA")).await;
    let invoice = isp.issued(subscriber, json!([line("799.37")])).await;
    let input = json!({ "invoiceId": invoice["id"], "reason": "Wrong customer", "idempotencyKey": key() });
    let done = isp.ask(VOID, json!({ "input": input })).await["invoiceVoid"].clone();
    assert_eq!(done["userErrors"], json!([]), "{done:#}");
    let void = &done["invoice"];
    assert_eq!(void["number"], "IN/26-27/000001");
    assert_eq!(void["status"], "VOID");
    assert_eq!(void["voidReason"], "Wrong customer");
    assert!(void["voidedAt"].to_string().starts_with("\"2026-04-01T05:00:"), "{void}");
    assert_eq!(void["amountDue"]["amount"], "0.00");
    assert_eq!(void["amountCredited"], void["total"]);
    let replay = isp.ask(VOID, json!({ "input": input })).await["invoiceVoid"].clone();
    assert_eq!(replay, done);
    assert_eq!(refusals(&isp.void(&invoice).await), ["invoiceId INVALID_STATE"]);
    let found = "query ($id: ID!, $invoice: ID!) { subscriber(id: $id) { balance { amount } }
        trialBalance { debit { amount } lines { name balance { amount } } }
        auditEntries(first: 5, filter: { targetId: $invoice }) { nodes { action } } }";
    let found = isp
        .ask(found, json!({ "id": subscriber.to_string(), "invoice": invoice["id"] }))
        .await;
    assert_eq!(found["subscriber"]["balance"]["amount"], "0.00");
    for account in found["trialBalance"]["lines"].as_array().unwrap() {
        assert_eq!(account["balance"]["amount"], "0.00", "{account}");
    }
    let actions = found["auditEntries"]["nodes"].as_array().unwrap();
    assert!(actions.contains(&json!({ "action": "invoiceVoid" })), "{actions:?}");
    let next = isp.issued(subscriber, json!([line("1")])).await;
    assert_eq!(next["number"], "IN/26-27/000002");
    let id = invoice["id"].clone();
    for (mutation, input) in [
        ("creditNoteIssue", json!({ "invoiceId": id })),
        ("invoiceWriteOff", json!({ "invoiceId": id })),
    ] {
        let refused = isp.refused(mutation, input).await;
        assert_eq!(refused, ["invoiceId INVALID_STATE"], "{mutation}");
    }
    let pay = json!({ "subscriberId": subscriber.to_string(), "amount": "5", "method": "CASH", "invoiceIds": [id],
        "idempotencyKey": key() });
    let document = "mutation ($input: PaymentRecordInput!) { paymentRecord(input: $input) { userErrors { field code } } }";
    let paid = isp.ask(document, json!({ "input": pay })).await["paymentRecord"].clone();
    assert_eq!(refusals(&paid).len(), 1, "{paid}");
}

impl Isp {
    async fn refused(&self, mutation: &str, mut input: Value) -> Vec<String> {
        (input["reason"], input["idempotencyKey"]) = (json!("Wrong"), json!(key()));
        let (first, rest) = mutation.split_at(1);
        let document = format!(
            "mutation ($input: {}{rest}Input!) {{ {mutation}(input: $input) {{ userErrors {{ field code message }} }} }}",
            first.to_uppercase()
        );
        refusals(&self.ask(&document, json!({ "input": input })).await[mutation])
    }
}

#[tokio::test]
async fn only_while_nothing_is_paid_or_credited_in_its_month_and_in_open_books() {
    let isp = Isp::open("in-broadband").await;
    let subscriber = isp.subscriber(None).await;
    let invoices = [1, 2, 3, 4, 5].map(|_| isp.issued(subscriber, json!([line("100")])));
    let [paid, credited, given_up, added_to, late] = futures::future::join_all(invoices).await.try_into().unwrap();
    let pay = json!({ "subscriberId": subscriber.to_string(), "amount": "1", "method": "CASH", "invoiceIds": [paid["id"]],
        "idempotencyKey": key() });
    let document = "mutation ($input: PaymentRecordInput!) { paymentRecord(input: $input) { userErrors { field code } } }";
    isp.ask(document, json!({ "input": pay })).await;
    let lines = "query ($id: ID!) { invoice(id: $id) { lines { id } } }";
    let lines = isp.ask(lines, json!({ "id": added_to["id"] })).await["invoice"]["lines"].clone();
    let added = json!([{ "invoiceLineId": lines[0]["id"], "amount": "10" }]);
    for (mutation, input) in [
        ("creditNoteIssue", json!({ "invoiceId": credited["id"], "amount": "1" })),
        ("invoiceWriteOff", json!({ "invoiceId": given_up["id"], "amount": "1" })),
        ("debitNoteIssue", json!({ "invoiceId": added_to["id"], "lines": added })),
    ] {
        assert_eq!(isp.refused(mutation, input).await, Vec::<String>::new(), "{mutation}");
    }
    for invoice in [&paid, &credited, &given_up, &added_to] {
        assert_eq!(refusals(&isp.void(invoice).await), ["invoiceId INVALID_STATE"], "{invoice}");
    }
    // Without its debit note the invoice can be withdrawn as well.
    let notes = "query ($id: ID!) { invoice(id: $id) { debitNotes { id status } } }";
    let notes = isp.ask(notes, json!({ "id": added_to["id"] })).await["invoice"]["debitNotes"].clone();
    assert_eq!(isp.void(&notes[0]).await["invoice"]["status"], "VOID");
    assert_eq!(isp.void(&added_to).await["invoice"]["status"], "VOID");
    assert_eq!(
        isp.refused("debitNoteIssue", json!({ "invoiceId": added_to["id"], "lines": added }))
            .await,
        ["invoiceId INVALID_STATE"]
    );
    let deposit =
        json!({ "subscriberId": subscriber.to_string(), "amount": "10", "description": "Router", "idempotencyKey": key() });
    let document = "mutation ($input: DepositChargeInput!) { depositCharge(input: $input) { deposit { invoice { id } } } }";
    let deposit = isp.ask(document, json!({ "input": deposit })).await["depositCharge"]["deposit"]["invoice"].clone();
    assert_eq!(refusals(&isp.void(&deposit).await), ["invoiceId INVALID_STATE"]);
    isp.on("2026-04-30");
    let close = json!({ "through": "2026-04-01", "reason": "Early", "idempotencyKey": key() });
    let document =
        "mutation ($input: LedgerPeriodCloseInput!) { ledgerPeriodClose(input: $input) { userErrors { field code } } }";
    assert_eq!(
        isp.ask(document, json!({ "input": close })).await["ledgerPeriodClose"]["userErrors"],
        json!([])
    );
    let closed = isp.void(&late).await;
    assert_eq!(refusals(&closed), ["invoiceId INVALID_STATE"]);
    assert!(closed.to_string().contains("closed through 2026-04-01"), "{closed}");
    let last = isp.issued(subscriber, json!([line("100")])).await;
    isp.on("2026-05-01");
    let over = isp.void(&last).await;
    assert_eq!(refusals(&over), ["invoiceId INVALID_STATE"]);
    assert!(over.to_string().contains("in the month of its issue"), "{over}");
}

#[tokio::test]
async fn where_the_authority_hears_of_each_none_is_withdrawn() {
    let isp = Isp::open("ke-hotspot").await;
    let subscriber = isp.subscriber(None).await;
    let invoice = isp.issued(subscriber, json!([line("100")])).await;
    let refused = isp.void(&invoice).await;
    assert_eq!(refusals(&refused), ["invoiceId INVALID_STATE"]);
    assert!(refused.to_string().contains("issue a credit note instead"), "{refused}");
    assert_eq!(isp.invoice(invoice["id"].as_str().unwrap()).await["status"], "ISSUED");
}

async fn void(owner: &Ask<'_>, invoice: &str) -> crate::harness::Answer {
    let input = json!({ "invoiceId": invoice, "reason": "Wrong price", "idempotencyKey": key() });
    owner.mutate("invoiceVoid", input, "invoice { status }").await
}

/// Status and periods of a subscriber's invoices over time, oldest first.
async fn charged(owner: &Ask<'_>, subscriber: &str) -> Vec<String> {
    let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 50) { nodes { status total { amount }
        lines { periodStartsAt periodEndsAt } } } } }";
    let nodes = owner
        .gql(query, json!({ "id": subscriber }))
        .await
        .at("subscriber.invoices.nodes");
    let day = |v: &Value| v.as_str().map_or("-".to_owned(), |t| t[..10].to_owned());
    let each = nodes.as_array().unwrap().iter().rev();
    each.map(|i| {
        let line = &i["lines"][0];
        let (from, to) = (day(&line["periodStartsAt"]), day(&line["periodEndsAt"]));
        format!(
            "{} {} {from} {to}",
            i["status"].as_str().unwrap(),
            i["total"]["amount"].as_str().unwrap()
        )
    })
    .collect()
}

async fn newest(owner: &Ask<'_>, subscriber: &str) -> String {
    let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 1) { nodes { id } } } }";
    let nodes = owner
        .gql(query, json!({ "id": subscriber }))
        .await
        .at("subscriber.invoices.nodes");
    id(&nodes[0])
}

#[tokio::test]
async fn the_time_that_it_charged_is_charged_again_and_once() {
    for bill_in in ["ADVANCE", "ARREARS"] {
        let app = TestApp::new().await;
        app.settings("asha", "due_days = 60").await;
        let owner = app.on("asha").as_owner();
        let weekly = json!({ "paymentMode": "POSTPAID", "billIn": bill_in, "period": { "unit": "WEEK", "count": 1 } });
        let plan = owner.plan("home", weekly).await;
        let (subscriber, _) = owner.subscriber("Ravi", json!({})).await;
        let (service, _) = owner.service(&subscriber, &plan, "ravi", json!({})).await;
        for now in ["2026-04-08T06:00:00Z", "2026-04-15T06:00:00Z"] {
            app.set_clock(now).await;
            app.run_jobs().await;
        }
        let before = charged(&owner, &subscriber).await;
        let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 50) { nodes { id } } } }";
        let all = owner
            .gql(query, json!({ "id": subscriber }))
            .await
            .at("subscriber.invoices.nodes");
        let (newest, oldest) = (id(&all[0]), id(all.as_array().unwrap().last().unwrap()));
        let refused = void(&owner, &oldest).await;
        assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"]);
        assert!(refused.text.contains("Other invoices charge its service"), "{}", refused.text);
        assert_eq!(void(&owner, &newest).await.done()["invoice"]["status"], "VOID", "{bill_in}");
        app.set_clock("2026-04-16T06:00:00Z").await;
        app.run_jobs().await;
        app.run_jobs().await;
        let after = charged(&owner, &subscriber).await;
        let mut expected = before.clone();
        let again = expected.pop().unwrap();
        assert!(again.starts_with("ISSUED"), "{again}");
        expected.push(again.replace("ISSUED", "VOID"));
        expected.push(again);
        assert_eq!(after, expected, "{bill_in}");
        app.set_clock("2026-04-22T06:00:00Z").await;
        app.run_jobs().await;
        let later = charged(&owner, &subscriber).await;
        assert_eq!(later.len(), after.len() + 1, "{bill_in}: {later:#?}");
        let lived = "query($id: ID!) { service(id: $id) { status nextBillingDate } }";
        let service = owner.gql(lived, json!({ "id": service["id"] })).await.at("service");
        assert_eq!(
            service,
            json!({ "status": "ACTIVE", "nextBillingDate": "2026-04-29" }),
            "{bill_in}"
        );
    }
}

#[tokio::test]
async fn a_prepaid_renewal_can_be_withdrawn_and_its_beginning_cannot() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    assert_eq!(void(&owner, &first.invoice).await.refusals(), ["INVALID_STATE invoiceId"]);
    owner.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    app.set_clock("2026-05-01T06:00:00Z").await;
    app.run_jobs().await;
    let renewal = newest(&owner, &first.subscriber).await;
    assert_ne!(renewal, first.invoice);
    void(&owner, &renewal).await.done();
    app.run_jobs().await;
    let state = "query($id: ID!) { service(id: $id) { status } }";
    let now = owner.gql(state, json!({ "id": first.service })).await.at("service.status");
    assert_eq!(now, "GRACE", "as it was before");
    app.set_clock("2026-05-02T06:00:00Z").await;
    app.run_jobs().await;
    let again = charged(&owner, &first.subscriber).await;
    assert_eq!(again.len(), 3, "{again:#?}");
    assert!(again[1].starts_with("VOID") && again[2].starts_with("ISSUED"), "{again:#?}");
    assert_eq!(again[1][5..], again[2][7..]);
    owner.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    assert_eq!(
        owner.gql(state, json!({ "id": first.service })).await.at("service.status"),
        "ACTIVE"
    );
    // Ended, a service has what it owes withdrawn without being charged again.
    let (other, _) = owner.subscriber("tara", json!({})).await;
    let (service, invoice) = owner.service(&other, &first.plan, "tara", json!({})).await;
    let end = json!({ "id": service["id"], "reason": "Gone", "idempotencyKey": key() });
    let settings = owner
        .gql("{ billingSettings { version } }", json!({}))
        .await
        .at("billingSettings.version");
    let keep = json!({ "expectedVersion": settings, "terminationCredit": "NONE" });
    owner
        .mutate("billingSettingsUpdate", keep, "settings { version }")
        .await
        .done();
    app.set_clock("2026-05-03T06:00:00Z").await;
    owner.mutate("serviceTerminate", end, "service { id }").await.done();
    void(&owner, &id(&invoice)).await.done();
    app.set_clock("2026-06-05T06:00:00Z").await;
    app.run_jobs().await;
    let left = charged(&owner, &other).await;
    assert_eq!(left.len(), 1, "{left:#?}");
    assert!(left[0].starts_with("VOID"), "{left:#?}");
}

/// In its days of grace, the service goes on and is charged again in full. Suspended, the days that it had would be lost.
#[tokio::test]
async fn a_service_that_was_blocked_for_it_goes_on_first() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    owner.bills(json!({ "dueDays": 2, "graceDays": 3 })).await;
    let plan = owner.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (ravi, _) = owner.subscriber("Ravi", json!({})).await;
    let (in_grace, owed) = owner.service(&ravi, &plan, "ravi", json!({})).await;
    let (tara, _) = owner.subscriber("Tara", json!({})).await;
    let (blocked, unpaid) = owner.service(&tara, &plan, "tara", json!({})).await;
    app.set_clock("2026-04-05T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(owner.status(&id(&in_grace)).await, "GRACE");
    void(&owner, &id(&owed)).await.done();
    app.run_jobs().await;
    assert_eq!(owner.status(&id(&in_grace)).await, "ACTIVE");
    app.set_clock("2026-04-06T06:00:00Z").await;
    app.run_jobs().await;
    let again = charged(&owner, &ravi).await;
    assert_eq!(again.len(), 2, "{again:#?}");
    assert_eq!(
        again[0].replace("VOID", "ISSUED"),
        again[1],
        "the same time at the same price"
    );
    assert_eq!(owner.status(&id(&blocked)).await, "SUSPENDED ARREARS");
    let refused = void(&owner, &id(&unpaid)).await;
    assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"]);
    assert!(refused.text.contains("resume that first"), "{}", refused.text);
    assert_eq!(owner.status(&id(&blocked)).await, "SUSPENDED ARREARS");
    // A promise resumes it; all that it charged is charged again.
    owner.promise(&tara, "2026-04-10").await.done();
    assert_eq!(owner.status(&id(&blocked)).await, "GRACE");
    void(&owner, &id(&unpaid)).await.done();
    app.set_clock("2026-04-07T06:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(owner.status(&id(&blocked)).await, "ACTIVE");
    let again = charged(&owner, &tara).await;
    assert_eq!(again.len(), 2, "{again:#?}");
    assert_eq!(
        again[0].replace("VOID", "ISSUED"),
        again[1],
        "the days before it was off are charged"
    );
}

/// Nothing would charge their time again: the plan's own is charged already.
#[tokio::test]
async fn an_addon_or_a_difference_alone_is_credited() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    owner.bills(json!({ "planChangeDocument": "DIFFERENCE" })).await;
    let postpaid = json!({ "paymentMode": "POSTPAID" });
    let plan = owner.plan("home", postpaid).await;
    let dearer = owner
        .plan("office", json!({ "paymentMode": "POSTPAID", "price": "1600.00" }))
        .await;
    let address = owner.addon("ip", json!({})).await;
    let (subscriber, _) = owner.subscriber("Ravi", json!({})).await;
    let (service, first) = owner.service(&subscriber, &plan, "ravi", json!({})).await;
    owner.add(&id(&service), &address, json!({})).await.done();
    let addon = newest(&owner, &subscriber).await;
    let change = json!({ "id": service["id"], "planId": dearer, "timing": "NOW", "idempotencyKey": key() });
    let changed = owner.mutate("serviceChangePlan", change, "invoice { id }").await.done();
    for invoice in [&addon, &id(&changed["invoice"])] {
        assert_ne!(*invoice, id(&first));
        let refused = void(&owner, invoice).await;
        assert_eq!(refused.refusals(), ["INVALID_STATE invoiceId"]);
        assert!(refused.text.contains("credit it instead"), "{}", refused.text);
        let credit = json!({ "invoiceId": invoice, "reason": "Wrong price", "idempotencyKey": key() });
        owner.mutate("creditNoteIssue", credit, "creditNote { id }").await.done();
    }
    assert_eq!(void(&owner, &id(&first)).await.refusals(), ["INVALID_STATE invoiceId"]);
    // With the plan's own time on the invoice an add-on is withdrawn, and charged again with it.
    let (other, _) = owner.subscriber("Tara", json!({})).await;
    let ordered = json!({ "addons": [{ "addonId": address, "quantity": 1 }] });
    let (_, both) = owner.service(&other, &plan, "tara", ordered).await;
    assert_eq!(both["total"]["amount"], "1300.00");
    void(&owner, &id(&both)).await.done();
    app.set_clock("2026-04-02T06:00:00Z").await;
    app.run_jobs().await;
    let again = charged(&owner, &other).await;
    assert_eq!(again.len(), 2, "{again:#?}");
    assert_eq!(again[0].replace("VOID", "ISSUED"), again[1]);
}

#[tokio::test]
async fn what_it_charged_once_waits_for_the_next_invoice() {
    let app = TestApp::new().await;
    let owner = app.on("asha").as_owner();
    let first = owner.first_subscriber("meera").await;
    owner.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    let charge = json!({ "serviceId": first.service, "description": "Router", "unitPrice": "1500", "when": "AT_ONCE",
        "idempotencyKey": key() });
    let made = owner
        .mutate("serviceChargeAdd", charge, "charge { id status } invoice { id }")
        .await
        .done();
    assert_eq!(made["charge"]["status"], "CHARGED");
    void(&owner, &id(&made["invoice"])).await.done();
    let charges = "query($id: ID!) { service(id: $id) { charges { id status } } }";
    let found = owner.gql(charges, json!({ "id": first.service })).await.at("service.charges");
    assert_eq!(found, json!([{ "id": made["charge"]["id"], "status": "PENDING" }]));
    app.set_clock("2026-05-01T06:00:00Z").await;
    app.run_jobs().await;
    let found = owner.gql(charges, json!({ "id": first.service })).await.at("service.charges");
    assert_eq!(found, json!([{ "id": made["charge"]["id"], "status": "CHARGED" }]));
}

/// Withdrawn or paid, whoever comes first; never both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_and_a_withdrawal_at_once() {
    let isp = isp().await;
    for _ in 0..4 {
        let subscriber = isp.subscriber().await;
        let owed = isp.invoice(subscriber, "100", 5).await;
        let calls = (0..4).map(|n| {
            let db = isp.db.clone();
            async move {
                match n % 2 {
                    0 => {
                        let cmd = VoidInvoice {
                            invoice_id: owed,
                            reason: "Wrong".into(),
                            idempotency_key: Uuid::now_v7(),
                        };
                        let done = db.write(async move |tx| runs::invoice_void(tx, cmd.clone()).await).await;
                        done.map(|_| "void")
                    }
                    _ => {
                        let cmd = cash(subscriber, "100");
                        let done = db.write(async move |tx| payments::record(tx, cmd.clone()).await).await;
                        done.map(|_| "paid")
                    }
                }
            }
        });
        let done = isp.pile_up(subscriber, 4, calls).await;
        let voids = done.iter().filter(|d| matches!(d, Ok("void"))).count();
        assert!(voids <= 1, "{done:?}");
        assert!(done.iter().all(|d| matches!(d, Ok(_) | Err(Error::User(_)))), "{done:?}");
        let expected = if voids == 1 {
            ("-200.00", "200.00")
        } else {
            ("-100.00", "100.00")
        };
        let (balance, in_hand) = isp.standing(subscriber).await;
        assert_eq!((balance.as_str(), in_hand.as_str()), expected, "{done:?}");
        isp.assert_books().await;
    }
}
