//! Discounts and coupons: what they take off, for how long, and that their limits hold.

use futures::future::join_all;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use trunkline_domain::billing::rules::{Explanation, replay};

use super::day;
use crate::harness::{Answer, Ask, TestApp, id, key};

impl Ask<'_> {
    async fn discount(&self, service: &str, changes: Value) -> Answer {
        let mut input = json!({ "serviceId": service, "name": "Loyal", "idempotencyKey": key() });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.mutate(
            "serviceDiscountAdd",
            input,
            "discount { id name percent amount { amount } periods periodsUsed couponId }",
        )
        .await
    }

    async fn coupon(&self, code: &str, changes: Value) -> Answer {
        let mut input = json!({ "code": code });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.mutate("couponCreate", input, "coupon { id code redeemed }").await
    }

    async fn redeem(&self, service: &str, code: &str) -> Answer {
        let input = json!({ "serviceId": service, "couponCode": code, "idempotencyKey": key() });
        self.mutate("couponRedeem", input, "discount { id couponId }").await
    }

    pub async fn balance_of(&self, subscriber: &str) -> String {
        let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
        self.gql(query, json!({ "id": subscriber }))
            .await
            .text_at("subscriber.balance.amount")
    }
}

/// Each line comes out of its explanation again, discount and taxes with it.
fn replays(invoice: &Value) {
    for line in invoice["lines"].as_array().unwrap() {
        let of: Explanation = serde_json::from_value(line["explanation"].clone()).unwrap();
        let again = replay(&of).unwrap();
        let shown = |name: &str| line[name]["amount"].as_str().unwrap().parse::<Decimal>().unwrap();
        assert_eq!(
            (again.discount.amount(), again.amount.amount()),
            (shown("discount"), shown("amount")),
            "{line:#}"
        );
        let taxes: Decimal = again.taxes.iter().map(|tax| tax.amount.amount()).sum();
        let shown = line["taxes"].as_array().unwrap().iter();
        let shown: Decimal = shown
            .map(|t| t["amount"]["amount"].as_str().unwrap().parse::<Decimal>().unwrap())
            .sum();
        assert_eq!(taxes, shown, "{line:#}");
    }
}

async fn postpaid(isp: &Ask<'_>, name: &str, plan: &str, changes: Value) -> (String, String) {
    let (subscriber, _) = isp.subscriber(name, json!({})).await;
    let (service, _) = isp.service(&subscriber, plan, name, changes).await;
    (subscriber, id(&service))
}

#[tokio::test]
async fn discounts_are_off_the_price_before_tax_for_as_long_as_they_last() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let address = isp.addon("ip", json!({ "price": "100.00" })).await;
    let (subscriber, service) = postpaid(&isp, "ravi", &plan, json!({ "addons": [{ "addonId": address }] })).await;
    isp.discount(&service, json!({ "name": "Once", "amount": "250.00", "periods": 1 }))
        .await
        .done();
    isp.discount(
        &service,
        json!({ "name": "Ten", "percent": "10", "periods": 2, "withAddons": true }),
    )
    .await
    .done();
    for month in ["2026-05-01", "2026-06-01", "2026-07-01"] {
        day(&app, month).await;
    }
    assert_eq!(
        isp.lines_of(&subscriber)
            .await
            .into_iter()
            .map(|i| i.join("; "))
            .collect::<Vec<_>>(),
        [
            "Plan home, 2026-04-01 to 2026-04-30: 1000.00; Add-on ip, 2026-04-01 to 2026-04-30: 100.00",
            "Plan home, 2026-05-01 to 2026-05-31: 675.00; Add-on ip, 2026-05-01 to 2026-05-31: 90.00",
            "Plan home, 2026-06-01 to 2026-06-30: 900.00; Add-on ip, 2026-06-01 to 2026-06-30: 90.00",
            "Plan home, 2026-07-01 to 2026-07-31: 1000.00; Add-on ip, 2026-07-01 to 2026-07-31: 100.00",
        ]
    );
    // The tax falls on what is left, and each line says what was taken off and why.
    let query = "query($id: ID!) { subscriber(id: $id) { invoices(first: 4) { nodes {
        discount { amount } taxTotal { amount }
        lines { discount { amount } amount { amount } taxes { amount { amount } } explanation } } } } }";
    let all = isp
        .gql(query, json!({ "id": subscriber }))
        .await
        .at("subscriber.invoices.nodes");
    all.as_array().unwrap().iter().for_each(replays);
    let may = all[2].clone();
    assert_eq!(
        (&may["discount"]["amount"], &may["taxTotal"]["amount"]),
        (&json!("335.00"), &json!("137.70"))
    );
    let parts = &may["lines"][0]["explanation"]["line"]["discount"]["parts"];
    assert_eq!((&parts[0]["name"], &parts[1]["name"]), (&json!("Once"), &json!("Ten")));
    let used = isp
        .gql(
            "query($id: ID!) { service(id: $id) { discounts { periodsUsed } } }",
            json!({ "id": service }),
        )
        .await
        .at("service.discounts");
    assert_eq!(used, json!([{ "periodsUsed": 1 }, { "periodsUsed": 2 }]));
}

/// Ordered on the 1st, paid and begun on the 2nd, changed on the 10th: it is one period for its discount, all the time.
#[tokio::test]
async fn a_period_that_is_moved_keeps_its_discount() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "activation": "ON_PAYMENT" })).await;
    let plan = isp.plan("home", json!({ "price": "2000.00" })).await;
    let bigger = isp.plan("bigger", json!({ "price": "3000.00" })).await;
    isp.coupon("HALF", json!({ "percent": "50", "periods": 1 })).await.done();
    let (subscriber, service) = postpaid(&isp, "ravi", &plan, json!({ "couponCode": "HALF" })).await;
    day(&app, "2026-04-02").await;
    isp.pay(&subscriber, "1000.00").await;
    app.run_jobs().await;
    day(&app, "2026-04-10").await;
    let input = json!({ "id": service, "planId": bigger, "timing": "NOW", "idempotencyKey": key() });
    let done = isp
        .mutate(
            "serviceChangePlan",
            input,
            "invoice { total { amount } } creditNote { total { amount } }",
        )
        .await
        .done();
    // 22 of 30 days, at half of either price.
    assert_eq!(
        (&done["creditNote"]["total"]["amount"], &done["invoice"]["total"]["amount"]),
        (&json!("733.33"), &json!("1100.00"))
    );
    app.run_jobs().await;
}

/// A run that comes months late gives a discount for as many periods as it was agreed for, also where one payer's services
/// are charged together on one invoice.
#[tokio::test]
async fn a_late_run_gives_discounts_for_their_periods_and_no_longer() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = isp
        .plan("home", json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS" }))
        .await;
    let (payer, _) = isp.subscriber("Landlord", json!({})).await;
    let mut services = Vec::new();
    for n in 0..3 {
        let (flat, _) = isp.subscriber(&format!("Flat {n}"), json!({ "billToId": payer })).await;
        services.push(id(&isp.service(&flat, &plan, &format!("flat{n}"), json!({})).await.0));
    }
    isp.discount(&services[0], json!({ "percent": "10", "periods": 2 }))
        .await
        .done();
    isp.discount(&services[1], json!({ "amount": "1.00" })).await.done();
    day(&app, "2026-08-02").await;
    let mut lines: Vec<Vec<String>> = isp.lines_of(&payer).await;
    let amounts = lines.iter_mut().map(|invoice| {
        let mut amounts: Vec<String> = invoice.iter().map(|l| l.rsplit(' ').next().unwrap().to_owned()).collect();
        amounts.sort();
        amounts
    });
    let mut amounts: Vec<String> = amounts.collect::<Vec<_>>().concat();
    amounts.sort();
    let expected = ["1000.00", "900.00", "999.00"].map(|amount| {
        vec![
            amount;
            if amount == "1000.00" {
                6
            } else if amount == "900.00" {
                2
            } else {
                4
            }
        ]
    });
    assert_eq!(amounts, expected.concat(), "{lines:?}");
    // Nothing was done twice when the day is run again.
    day(&app, "2026-08-02").await;
    assert_eq!(isp.lines_of(&payer).await, lines);
}

/// Who ended a service has had the coupon: it counts, and another service finds it used up.
#[tokio::test]
async fn a_coupon_counts_though_its_service_is_over() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({})).await;
    isp.coupon("ONE", json!({ "percent": "10", "maxTotal": 1 })).await.done();
    let (subscriber, service) = postpaid(&isp, "ravi", &plan, json!({})).await;
    let input = json!({ "serviceId": service, "couponCode": "one", "idempotencyKey": key() });
    let redeemed = isp.mutate("couponRedeem", input.clone(), "discount { id }").await.done();
    let again = isp.mutate("couponRedeem", input.clone(), "discount { id }").await.done();
    assert_eq!(again, redeemed, "a replay");
    let mut other = input;
    other["couponCode"] = json!("two");
    let reused = isp.mutate("couponRedeem", other, "discount { id }").await.refusals();
    assert_eq!(reused, ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]);
    let end = json!({ "id": service, "reason": "Moved", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", end, "service { status }").await.done();
    let (next, _) = isp.service(&subscriber, &plan, "ravi2", json!({ "activate": false })).await;
    assert_eq!(isp.redeem(&id(&next), "ONE").await.refusals(), ["LIMIT_EXCEEDED couponCode"]);
    assert_eq!(isp.redeem(&service, "ONE").await.refusals(), ["INVALID_STATE serviceId"]);
    // A coupon that is refused leaves no service behind.
    let mut order = json!({ "subscriberId": subscriber, "planId": plan, "username": "ravi3", "password": "network-secret",
        "couponCode": "ONE", "idempotencyKey": key() });
    let refused = isp.mutate("serviceCreate", order.clone(), "service { id }").await;
    assert_eq!(refused.refusals(), ["LIMIT_EXCEEDED couponCode"]);
    order["couponCode"] = Value::Null;
    isp.mutate("serviceCreate", order, "service { id }").await.done();
    app.run_jobs().await;
}

/// A price that contains tax stays exact: what is paid is the advertised price less the discount.
#[tokio::test]
async fn an_inclusive_price_stays_exact_under_a_discount() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.register_for_gst().await;
    let plan = isp.plan("home", json!({ "price": "999.00", "taxInclusive": true })).await;
    isp.coupon("WELCOME", json!({ "percent": "33.3333" })).await.done();
    let (subscriber, _) = isp.subscriber("Ravi", json!({})).await;
    let (_, invoice) = isp
        .service(&subscriber, &plan, "ravi", json!({ "couponCode": "welcome" }))
        .await;
    // 999 * 33.3333% = 332.999667, rounded 333.00
    assert_eq!(invoice["total"]["amount"], "666.00");
    app.run_jobs().await;
}

/// A change of plan and the end of the service take back what was charged, discount and all; a period counts once.
#[tokio::test]
async fn credit_takes_the_discounted_price() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300, "planChangeDocument": "DIFFERENCE" })).await;
    let plan = isp
        .plan("home", json!({ "paymentMode": "POSTPAID", "price": "900.00" }))
        .await;
    let dearer = isp
        .plan("fast", json!({ "paymentMode": "POSTPAID", "price": "1500.00" }))
        .await;
    isp.coupon("HELLO", json!({ "amount": "300.00", "periods": 1, "maxPerSubscriber": 1 }))
        .await
        .done();
    let (subscriber, service) = postpaid(&isp, "ravi", &plan, json!({ "couponCode": "HELLO" })).await;
    assert_eq!(isp.balance_of(&subscriber).await, "600.00");
    assert_eq!(isp.redeem(&service, "hello").await.refusals(), ["LIMIT_EXCEEDED couponCode"]);
    day(&app, "2026-04-16").await;
    let input = json!({ "id": service, "planId": dearer, "timing": "NOW", "idempotencyKey": key() });
    let done = isp
        .mutate(
            "serviceChangePlan",
            input,
            "creditNote { total { amount } } invoice { total { amount } }",
        )
        .await
        .done();
    // Half of (900 - 300) back, half of (1500 - 300) charged: it is the same period still.
    assert_eq!(
        (&done["creditNote"]["total"]["amount"], &done["invoice"]["total"]["amount"]),
        (&json!("300.00"), &json!("600.00"))
    );
    day(&app, "2026-04-26").await;
    let input = json!({ "id": service, "reason": "Moved", "idempotencyKey": key() });
    isp.mutate("serviceTerminate", input, "service { status }").await.done();
    // 600 for half a month, five of thirty days of 1200 are 200.
    let owes: Decimal = isp.balance_of(&subscriber).await.parse().unwrap();
    assert_eq!(owes, Decimal::from(300 + 600 - 200));
    app.run_jobs().await;
}

#[tokio::test]
async fn a_discount_ends_when_staff_say_so() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    isp.bills(json!({ "dueDays": 300 })).await;
    let plan = isp.plan("home", json!({ "paymentMode": "POSTPAID" })).await;
    let (subscriber, service) = postpaid(&isp, "ravi", &plan, json!({})).await;
    let given = isp.discount(&service, json!({ "amount": "5000.00" })).await.done();
    day(&app, "2026-05-01").await;
    let end = async || {
        let input = json!({ "id": given["discount"]["id"] });
        isp.mutate("serviceDiscountEnd", input, "discount { endedAt }").await
    };
    assert!(end().await.done()["discount"]["endedAt"].is_string());
    assert_eq!(end().await.refusals(), ["INVALID_STATE id"]);
    day(&app, "2026-06-01").await;
    let totals: Vec<String> = isp.lines_of(&subscriber).await.concat();
    // Never more than the price.
    assert!(
        totals[1].ends_with(": 0.00") && totals[2].ends_with(": 1000.00"),
        "{totals:?}"
    );
}

#[tokio::test]
async fn bad_discounts_and_coupons_are_refused() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({})).await;
    let (_, service) = postpaid(&isp, "ravi", &plan, json!({})).await;
    for (changes, refusal) in [
        (json!({}), "REQUIRED percent"),
        (json!({ "percent": "10", "amount": "10.00" }), "INVALID percent"),
        (json!({ "percent": "0" }), "INVALID percent"),
        (json!({ "percent": "100.01" }), "INVALID percent"),
        (json!({ "percent": "-5" }), "INVALID percent"),
        (json!({ "amount": "-5.00" }), "INVALID amount"),
        (json!({ "amount": "5.001" }), "INVALID amount"),
        (json!({ "amount": "5.00", "withAddons": true }), "INVALID withAddons"),
        (json!({ "percent": "5", "periods": 0 }), "INVALID periods"),
    ] {
        assert_eq!(
            isp.discount(&service, changes.clone()).await.refusals(),
            [refusal],
            "{changes}"
        );
        assert_eq!(isp.coupon("X", changes.clone()).await.refusals(), [refusal], "{changes}");
    }
    for (changes, refusal) in [
        (
            json!({ "validFrom": "2026-05-01", "validUntil": "2026-04-30" }),
            "INVALID validUntil",
        ),
        (json!({ "validUntil": "2026-03-31" }), "INVALID validUntil"),
        (json!({ "maxTotal": 0 }), "INVALID maxTotal"),
        (json!({ "maxPerSubscriber": -1 }), "INVALID maxPerSubscriber"),
        (json!({ "code": "A B" }), "INVALID code"),
    ] {
        let mut changes = changes;
        changes["percent"] = json!("10");
        assert_eq!(isp.coupon("X", changes.clone()).await.refusals(), [refusal], "{changes}");
    }
    isp.coupon(
        "SPRING",
        json!({ "percent": "10", "validFrom": "2026-05-01", "validUntil": "2026-05-02" }),
    )
    .await
    .done();
    assert_eq!(
        isp.coupon("spring", json!({ "percent": "10" })).await.refusals(),
        ["TAKEN code"]
    );
    assert_eq!(isp.redeem(&service, "nothing").await.refusals(), ["NOT_FOUND couponCode"]);
    assert_eq!(
        isp.redeem(&service, "SPRING").await.refusals(),
        ["INVALID_STATE couponCode"],
        "not yet"
    );
    let summer = isp.coupon("SUMMER", json!({ "percent": "10" })).await.done();
    isp.mutate(
        "couponDisable",
        json!({ "id": summer["coupon"]["id"] }),
        "coupon { disabledAt }",
    )
    .await
    .done();
    assert_eq!(isp.redeem(&service, "SUMMER").await.refusals(), ["INVALID_STATE couponCode"]);
    day(&app, "2026-05-02").await;
    isp.redeem(&service, "SPRING").await.done();
    assert_eq!(
        isp.redeem(&service, "SPRING").await.refusals(),
        ["CONFLICT couponCode"],
        "once a service"
    );
    day(&app, "2026-05-03").await;
    assert_eq!(
        isp.redeem(&service, "SPRING").await.refusals(),
        ["INVALID_STATE couponCode"],
        "no more"
    );
}

/// Two hundred at once redeem a coupon that ten may have: ten do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coupons_limits_hold_whoever_redeems_it_at_once() {
    let app = TestApp::new().await;
    let isp = app.on("asha").as_owner();
    let plan = isp.plan("home", json!({})).await;
    let coupon = isp.coupon("TEN", json!({ "percent": "10", "maxTotal": 10 })).await.done();
    let mut services = Vec::new();
    for n in 0..200 {
        services.push(
            postpaid(&isp, &format!("user{n}"), &plan, json!({ "activate": false }))
                .await
                .1,
        );
    }
    let answers = join_all(services.iter().map(|service| isp.redeem(service, "ten"))).await;
    let refusals: Vec<Vec<String>> = answers.iter().map(Answer::refusals).collect();
    assert_eq!(refusals.iter().filter(|r| r.is_empty()).count(), 10);
    let others = refusals.iter().filter(|r| !r.is_empty());
    assert!(
        others.clone().all(|r| *r == ["LIMIT_EXCEEDED couponCode"]),
        "{:?}",
        others.collect::<Vec<_>>()
    );
    let redeemed = isp
        .gql(
            "query($id: ID!) { coupon(id: $id) { redeemed } }",
            json!({ "id": coupon["coupon"]["id"] }),
        )
        .await;
    assert_eq!(redeemed.at("coupon.redeemed"), 10);
    // One subscriber, many services, at once.
    isp.coupon("TWO", json!({ "percent": "10", "maxPerSubscriber": 2 }))
        .await
        .done();
    let (subscriber, _) = isp.subscriber("Many", json!({})).await;
    let mut own = Vec::new();
    for n in 0..8 {
        let (service, _) = isp
            .service(&subscriber, &plan, &format!("many{n}"), json!({ "activate": false }))
            .await;
        own.push(id(&service));
    }
    let answers = join_all(own.iter().map(|service| isp.redeem(service, "TWO"))).await;
    assert_eq!(answers.iter().filter(|a| a.refusals().is_empty()).count(), 2);
    app.run_jobs().await;
}
