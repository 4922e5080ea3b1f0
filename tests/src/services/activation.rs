use serde_json::{Value, json};

use super::bench::kolkata;
use crate::harness::{TestApp, id, key};

#[tokio::test]
async fn on_create_a_service_is_on_at_once_and_its_grace_ends_in_radius_by_itself() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    let state = isp.state(&first.service).await;
    assert_eq!(state["status"], "ACTIVE");
    assert_eq!(state["startedOn"], "2026-04-01");
    assert_eq!(state["periodStartsAt"], kolkata("2026-04-01"));
    assert_eq!(state["periodEndsAt"], kolkata("2026-05-01"));
    assert_eq!(state["nextBillingDate"], "2026-05-01");
    assert_eq!(state["paidUntil"], Value::Null);
    // Due on the 1st, three days of grace: off from the 4th at midnight in Kolkata.
    assert_eq!(app.account("asha", "ravi").await, "active 2026-04-03 18:30");

    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    let state = isp.state(&first.service).await;
    assert_eq!(
        (&state["status"], &state["paidUntil"]),
        (&json!("ACTIVE"), &json!(kolkata("2026-05-01")))
    );
    assert_eq!(app.account("asha", "ravi").await, "active 2026-05-03 18:30");
    app.run_jobs().await;
    assert_eq!(
        isp.state(&first.service).await,
        state,
        "nothing changes when nothing happened"
    );
}

/// Golden IN-06: 999.00 from 10 February 2028 on the calendar: 20 of 29 days, 688.97, with GST 812.99.
#[tokio::test]
async fn the_first_period_of_a_calendar_is_prorated() {
    let app = TestApp::new().await;
    app.set_clock("2028-02-10T04:30:00Z").await;
    app.settings("asha", "anchor = 'CALENDAR', calendar_day = 1").await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let plan = isp
        .plan("home", json!({ "price": "999.00", "paymentMode": "POSTPAID" }))
        .await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, invoice) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    assert_eq!(invoice["total"]["amount"], "812.99");
    let state = isp.state(&id(&service)).await;
    assert_eq!(state["periodEndsAt"], kolkata("2028-03-01"));
    assert_eq!(state["nextBillingDate"], "2028-03-01");
    isp.pay(&subscriber, "812.99").await;
    app.set_clock("2028-03-01T04:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(
        isp.invoices_of(&subscriber).await,
        [
            format!("PAID 812.99: {} {}", kolkata("2028-02-10"), kolkata("2028-03-01")),
            format!("ISSUED 1178.82: {} {}", kolkata("2028-03-01"), kolkata("2028-04-01")),
        ]
    );
}

/// Golden KE-03: 1999.00 from 18 March on the calendar: 14 of 31 days, 902.77, with excise and VAT 1204.30.
#[tokio::test]
async fn on_payment_a_service_waits_for_it() {
    let app = TestApp::new().await;
    app.set_clock("2026-03-18T07:00:00Z").await;
    app.settings("baraka", "anchor = 'CALENDAR', calendar_day = 1").await;
    let isp = app.on("baraka").as_owner();
    let plan = isp.plan("home", json!({ "price": "1999.00" })).await;
    let nairobi = json!({ "address": { "line1": "Moi Avenue", "city": "Nairobi", "country": "KE" } });
    let (subscriber, _) = isp.subscriber("Wanjiku", nairobi).await;
    let (service, invoice) = isp.service(&subscriber, &plan, "wanjiku", json!({})).await;
    let service = id(&service);
    assert_eq!(invoice["total"]["amount"], "1204.30");
    assert_eq!(isp.status(&service).await, "PENDING");
    assert!(app.account("baraka", "wanjiku").await.starts_with("pending"));

    isp.pay(&subscriber, "1205.00").await;
    app.run_jobs().await;
    let state = isp.state(&service).await;
    assert_eq!(state["status"], "ACTIVE");
    assert_eq!(state["startedOn"], "2026-03-18");
    assert_eq!(state["paidUntil"], "2026-03-31T21:00:00Z");
    assert_eq!(app.account("baraka", "wanjiku").await, "active 2026-04-03 21:00");
}

#[tokio::test]
async fn paid_later_it_begins_later_and_the_invoice_stays_as_it_was() {
    let app = TestApp::new().await;
    app.settings("asha", "activation = 'ON_PAYMENT'").await;
    let isp = app.on("asha").as_owner();
    let first = isp.first_subscriber("ravi").await;
    assert_eq!(isp.status(&first.service).await, "PENDING");
    app.set_clock("2026-04-06T10:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&first.service).await, "PENDING");
    isp.pay(&first.subscriber, &first.total).await;
    app.run_jobs().await;
    let state = isp.state(&first.service).await;
    assert_eq!(
        (&state["status"], &state["startedOn"]),
        (&json!("ACTIVE"), &json!("2026-04-06"))
    );
    assert_eq!(state["periodStartsAt"], kolkata("2026-04-06"));
    assert_eq!(state["periodEndsAt"], kolkata("2026-05-06"));
    assert_eq!(state["paidUntil"], kolkata("2026-05-06"));
    assert_eq!(state["nextBillingDate"], "2026-05-06");
    let line = format!("PAID {}: {} {}", first.total, kolkata("2026-04-01"), kolkata("2026-05-01"));
    assert_eq!(isp.invoices_of(&first.subscriber).await, [line]);
    app.set_clock("2026-05-06T10:00:00Z").await;
    app.run_jobs().await;
    let line = format!("ISSUED {}: {} {}", first.total, kolkata("2026-05-06"), kolkata("2026-06-06"));
    assert_eq!(isp.invoices_of(&first.subscriber).await[1], line);
}

#[tokio::test]
async fn credit_in_hand_or_a_free_plan_waits_for_nothing() {
    let app = TestApp::new().await;
    app.settings("asha", "activation = 'ON_PAYMENT'").await;
    let isp = app.on("asha").as_owner();
    let (plan, free) = (
        isp.plan("paid", json!({})).await,
        isp.plan("free", json!({ "price": "0.00" })).await,
    );
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    isp.pay(&subscriber, "1500.00").await;
    for (plan, username) in [(&plan, "ravi"), (&free, "ravi-free")] {
        let (service, _) = isp.service(&subscriber, plan, username, json!({})).await;
        assert_eq!(service["status"], "ACTIVE", "{username}");
        assert_eq!(isp.state(&id(&service)).await["paidUntil"], kolkata("2026-05-01"));
    }
    app.run_jobs().await;
}

#[tokio::test]
async fn a_start_in_the_future_is_invoiced_now_and_begins_on_its_day() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({})).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, invoice) = isp
        .service(&subscriber, &plan, "ravi", json!({ "startsOn": "2026-04-10" }))
        .await;
    let service = id(&service);
    assert!(invoice["number"].is_string());
    assert_eq!(isp.status(&service).await, "PENDING");
    app.set_clock("2026-04-09T18:00:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "PENDING", "still the 9th in Kolkata");
    app.set_clock("2026-04-09T18:30:00Z").await;
    app.run_jobs().await;
    assert_eq!(isp.status(&service).await, "ACTIVE");
    assert_eq!(app.account("asha", "ravi").await, "active 2026-04-12 18:30");
}

#[tokio::test]
async fn without_activation_nothing_is_invoiced_until_it_is_asked_for() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({})).await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, invoice) = isp.service(&subscriber, &plan, "ravi", json!({ "activate": false })).await;
    let service = id(&service);
    assert_eq!((invoice, isp.status(&service).await.as_str()), (Value::Null, "PENDING"));
    app.run_jobs().await;
    assert!(isp.invoices_of(&subscriber).await.is_empty());

    let input = json!({ "id": service, "idempotencyKey": key() });
    let selection = "service { id status } invoice { id }";
    let done = isp.mutate("serviceActivate", input.clone(), selection).await.done();
    assert_eq!(done["service"]["status"], "ACTIVE");
    assert!(done["invoice"]["id"].is_string());
    assert_eq!(isp.mutate("serviceActivate", input, selection).await.done(), done, "a replay");
    let again = json!({ "id": service, "idempotencyKey": key() });
    assert_eq!(
        isp.mutate("serviceActivate", again, selection).await.refusals(),
        ["INVALID_STATE id"]
    );
    assert_eq!(isp.invoices_of(&subscriber).await.len(), 1);
    app.run_jobs().await;
}

#[tokio::test]
async fn in_arrears_a_period_is_invoiced_when_it_has_ended() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp
        .plan("metered", json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" }))
        .await;
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (service, invoice) = isp.service(&subscriber, &plan, "ravi", json!({})).await;
    assert_eq!((&invoice, &service["status"]), (&Value::Null, &json!("ACTIVE")));
    assert_eq!(app.account("asha", "ravi").await, "active -");
    app.set_clock("2026-04-30T18:00:00Z").await;
    app.run_jobs().await;
    assert!(isp.invoices_of(&subscriber).await.is_empty());
    app.set_clock("2026-04-30T19:00:00Z").await;
    app.run_jobs().await;
    let line = format!("ISSUED 1000.00: {} {}", kolkata("2026-04-01"), kolkata("2026-05-01"));
    assert_eq!(isp.invoices_of(&subscriber).await, [line]);
    let state = isp.state(&id(&service)).await;
    assert_eq!(state["periodStartsAt"], kolkata("2026-05-01"));
    assert_eq!(state["nextBillingDate"], "2026-06-01");
}
