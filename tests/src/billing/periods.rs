//! Periods of services: what they come to and that none is billed twice.

use serde_json::json;
use trunkline_domain::billing::rules::{DayShare, Explanation, replay};
use trunkline_domain::billing::{self, NewInvoice, NewLine, ServiceCharge};
use trunkline_domain::kernel::calendar::{Period, Zone};
use trunkline_domain::kernel::ids::{InvoiceId, PlanId, ServiceId, SubscriberId};
use trunkline_domain::plans;
use trunkline_domain::subscribers::Address;
use trunkline_domain::{Error, Result};

use super::isp::{GSTIN_KA, Isp, taxes};
use crate::harness::execute;

struct Line {
    isp: Isp,
    subscriber: SubscriberId,
    service: ServiceId,
    plan: plans::Plan,
}

impl Line {
    async fn new(isp: Isp, price: &str, inclusive: bool) -> Self {
        let subscriber = isp.subscriber(Some("KA")).await;
        let input = json!({ "code": "F100", "name": "Fibre 100", "paymentMode": "PREPAID", "price": price,
            "taxInclusive": inclusive, "period": { "unit": "MONTH", "count": 1 } });
        let document = "mutation ($input: PlanCreateInput!) { planCreate(input: $input) { plan { id } userErrors { code } } }";
        let created = isp.ask(document, json!({ "input": input })).await;
        let plan: PlanId = created["planCreate"]["plan"]["id"].as_str().unwrap().parse().unwrap();
        let plan = isp.tx().read(async move |tx| plans::get(tx, plan).await).await.unwrap();
        let service = ServiceId::new();
        let role = isp.tenant.role();
        let insert = format!(
            "INSERT INTO \"{role}\".service (id, subscriber_id, plan_id, plan_version_id, status, created_at)
             VALUES ('{}', '{}', '{}', '{}', 'PENDING', now())",
            service.0, subscriber.0, plan.id.0, plan.version_id.0
        );
        execute(&mut isp.db.admin().await, insert).await;
        Self {
            isp,
            subscriber,
            service,
            plan,
        }
    }

    async fn bill(
        &self,
        from: &str,
        until: &str,
        share: Option<DayShare>,
        installed_in: Option<&str>,
    ) -> Result<billing::Invoice> {
        let zone = Zone::from(self.isp.tenant.timezone());
        let charge = ServiceCharge {
            service_id: self.service,
            subscriber_id: self.subscriber,
            plan: self.plan.clone(),
            difference: false,
            free_trial: false,
            discount: None,
            period: Period::of_days(zone, from.parse().unwrap(), until.parse().unwrap()).unwrap(),
            share,
            installation: installed_in.map(|region| Address {
                line1: "1 Road".into(),
                line2: None,
                city: None,
                region: Some(region.into()),
                postal_code: None,
                country: "IN".into(),
            }),
        };
        let new = NewInvoice {
            id: InvoiceId::new(),
            subscriber_id: self.subscriber,
            due_on: "2026-04-16".parse().unwrap(),
            lines: vec![NewLine::Period(charge)],
        };
        self.isp
            .tx()
            .write(async move |tx| {
                let issued = billing::issue(tx, new.clone()).await?;
                billing::get(tx, issued.id).await
            })
            .await
    }
}

#[tokio::test]
async fn in_04_a_price_with_tax_in_it_is_what_the_customer_pays() {
    let line = Line::new(Isp::open("in-broadband").await, "999", true).await;
    line.isp.register(GSTIN_KA).await;
    // Where the line is installed counts, not where its subscriber lives.
    for (month, region, expected) in [
        (
            ("2026-04-01", "2026-05-01"),
            None,
            ("846.61", "0.01", vec!["CGST 9 846.61 76.19", "SGST 9 846.61 76.19"]),
        ),
        (
            ("2026-05-01", "2026-06-01"),
            Some("MH"),
            ("846.61", "0.00", vec!["IGST 18 846.61 152.39"]),
        ),
    ] {
        let invoice = line.bill(month.0, month.1, None, region).await.unwrap();
        let seen = line.isp.invoice(&invoice.id.to_string()).await;
        let (subtotal, rounding, tax) = expected;
        assert_eq!(
            (&seen["subtotal"]["amount"], &seen["rounding"]["amount"]),
            (&json!(subtotal), &json!(rounding))
        );
        assert_eq!(seen["total"]["amount"], "999.00");
        assert_eq!(taxes(&seen), tax);
    }
}

#[tokio::test]
async fn a_part_of_a_period_costs_its_days_and_its_explanation_replays() {
    let line = Line::new(Isp::open("in-broadband").await, "999", false).await;
    line.isp.register(GSTIN_KA).await;
    let share = DayShare::new(20, 29).unwrap();
    let invoice = line.bill("2026-04-10", "2026-04-30", Some(share), None).await.unwrap();
    let seen = line.isp.invoice(&invoice.id.to_string()).await;
    let shown = &seen["lines"][0];
    assert_eq!(shown["amount"]["amount"], "688.97");
    assert_eq!(shown["kind"], "PERIOD");
    assert_eq!(shown["description"], "Fibre 100, 2026-04-10 to 2026-04-29");
    assert_eq!(shown["periodStartsAt"], "2026-04-09T18:30:00Z");
    assert_eq!(shown["periodEndsAt"], "2026-04-29T18:30:00Z");
    let explanation: Explanation = serde_json::from_value(shown["explanation"].clone()).unwrap();
    assert_eq!(explanation.line.plan_version.as_ref().map(|v| v.number), Some(1));
    let again = replay(&explanation).unwrap();
    assert_eq!(again.amount.amount().to_string(), "688.97");
    assert_eq!(
        again.taxes.iter().map(|t| t.amount.amount().to_string()).collect::<Vec<_>>(),
        ["62.01", "62.01"]
    );
    assert_eq!(seen["taxTotal"]["amount"], "124.02");
}

#[tokio::test]
async fn no_time_is_billed_twice() {
    let line = Line::new(Isp::open("in-broadband").await, "999", false).await;
    line.bill("2026-04-01", "2026-05-01", None, None).await.unwrap();
    for (from, until) in [
        ("2026-04-01", "2026-05-01"),
        ("2026-04-30", "2026-05-30"),
        ("2026-03-02", "2026-04-02"),
        ("2026-04-10", "2026-04-11"),
    ] {
        let refused = line.bill(from, until, None, None).await;
        let Err(Error::User(errors)) = refused else {
            panic!("{from} to {until}: {refused:?}")
        };
        assert_eq!(errors[0].code.to_string(), "CONFLICT");
    }
    // Half-open: what touches does not overlap.
    line.bill("2026-05-01", "2026-06-01", None, None).await.unwrap();
    line.bill("2026-03-01", "2026-04-01", None, None).await.unwrap();
    let all = line.isp.ask("{ invoices(first: 9) { nodes { number } } }", json!({})).await;
    let numbers: Vec<_> = (3..=3)
        .chain([2, 1])
        .map(|n| json!({ "number": format!("IN/26-27/{n:06}") }))
        .collect();
    assert_eq!(all["invoices"]["nodes"], json!(numbers));
}

#[tokio::test]
async fn at_once_only_one_of_many_bills_a_period() {
    let line = Line::new(Isp::open("in-broadband").await, "999", false).await;
    let answers = futures::future::join_all((0..12).map(|_| line.bill("2026-04-01", "2026-05-01", None, None))).await;
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 1);
}
