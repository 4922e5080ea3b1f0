//! How an ISP bills, changed by itself.

use serde_json::{Value, json};

use super::isp::{GSTIN_KA, GSTIN_MH, Isp, key, line, refusals};

const FIELDS: &str = "anchor calendarDay activation prepaidRenewal renewalLeadDays dueDays graceDays terminateAfterDays lateFee
    suspensionCredit terminationCredit planChangeDocument taxLevel roundingMode roundInvoiceTo invoiceNumberPattern
    creditNoteNumberPattern fiscalYearStartMonth runHour version";

impl Isp {
    /// `billingSettingsUpdate` of the present version.
    pub async fn set(&self, change: Value) -> Value {
        let version = self.ask("{ billingSettings { version } }", json!({})).await["billingSettings"]["version"].clone();
        self.set_at(version, change).await
    }

    async fn set_at(&self, version: Value, mut input: Value) -> Value {
        input["expectedVersion"] = version;
        let document = format!(
            "mutation ($input: BillingSettingsUpdateInput!) {{ billingSettingsUpdate(input: $input) {{
                settings {{ {FIELDS} }} userErrors {{ field code message }} }} }}"
        );
        self.ask(&document, json!({ "input": input })).await["billingSettingsUpdate"].clone()
    }

    async fn settings(&self) -> Value {
        self.ask(&format!("{{ billingSettings {{ {FIELDS} }} }}"), json!({})).await["billingSettings"].clone()
    }
}

#[tokio::test]
async fn every_field_changes_and_null_clears_three() {
    let isp = Isp::open("in-broadband").await;
    let before = isp.settings().await;
    let change = json!({ "anchor": "CALENDAR", "calendarDay": 28, "activation": "ON_PAYMENT", "prepaidRenewal": "WHEN_COVERED",
        "renewalLeadDays": 5, "dueDays": 7, "graceDays": 1, "terminateAfterDays": 90, "lateFee": "50.00",
        "suspensionCredit": "SHIFT_PERIOD", "terminationCredit": "NONE", "planChangeDocument": "DIFFERENCE", "taxLevel": "INVOICE",
        "roundingMode": "HALF_EVEN", "roundInvoiceTo": "1", "invoiceNumberPattern": "T{FY}-{SEQ:5}",
        "creditNoteNumberPattern": "{YYYY}C{SEQ:5}", "fiscalYearStartMonth": 1, "runHour": 4 });
    for (field, value) in change.as_object().unwrap() {
        assert_ne!(before[field], *value, "{field} is to change");
    }
    let changed = isp.set(change.clone()).await;
    assert_eq!(changed["userErrors"], json!([]), "{changed:#}");
    let mut expected = change.clone();
    expected["lateFee"] = json!("50");
    expected["version"] = json!(2);
    assert_eq!(changed["settings"], expected);
    assert_eq!(isp.settings().await, expected);
    let cleared = isp
        .set(json!({ "terminateAfterDays": null, "lateFee": null, "roundInvoiceTo": null }))
        .await;
    for field in ["terminateAfterDays", "lateFee", "roundInvoiceTo"] {
        assert!(cleared["settings"][field].is_null(), "{field}");
    }
    assert_eq!(cleared["settings"]["dueDays"], 7, "what is absent stays");
    assert_eq!(
        refusals(&isp.set_at(json!(2), json!({ "dueDays": 9 })).await),
        ["expectedVersion STALE_VERSION"]
    );
    let subscriber = isp.subscriber(None).await;
    let invoice = isp.issued(subscriber, json!([line("10")])).await;
    assert_eq!(invoice["number"], "T26-00001", "the fiscal year is the calendar year now");
    assert_eq!(invoice["dueOn"], "2026-04-08");
}

#[tokio::test]
async fn what_cannot_be_is_named_and_nothing_changes() {
    let isp = Isp::open("in-broadband").await;
    let before = isp.settings().await;
    for (change, expected) in [
        (
            json!({ "calendarDay": 29, "renewalLeadDays": 61, "dueDays": -1, "graceDays": 366, "terminateAfterDays": 0,
                "fiscalYearStartMonth": 13, "runHour": 24 }),
            vec![
                "calendarDay INVALID",
                "renewalLeadDays INVALID",
                "dueDays INVALID",
                "graceDays INVALID",
                "terminateAfterDays INVALID",
                "fiscalYearStartMonth INVALID",
                "runHour INVALID",
            ],
        ),
        (json!({ "runHour": 1, "graceDays": 0 }), vec!["runHour INVALID"]),
        (
            json!({ "lateFee": "0", "roundInvoiceTo": "0.001" }),
            vec!["lateFee INVALID", "roundInvoiceTo INVALID"],
        ),
        (
            json!({ "anchor": null, "dueDays": null }),
            vec!["anchor REQUIRED", "dueDays REQUIRED"],
        ),
        // The 9,999,999th number would have seventeen characters.
        (
            json!({ "invoiceNumberPattern": "INV/{FY}/{SEQ:6}" }),
            vec!["invoiceNumberPattern INVALID"],
        ),
        (
            json!({ "invoiceNumberPattern": "IN/{SEQ:6}" }),
            vec!["invoiceNumberPattern INVALID"],
        ),
        (
            json!({ "invoiceNumberPattern": "IN_{FY}/{SEQ:6}" }),
            vec!["invoiceNumberPattern INVALID"],
        ),
        (
            json!({ "invoiceNumberPattern": "/{FY}/{SEQ:6}" }),
            vec!["invoiceNumberPattern INVALID"],
        ),
        (
            json!({ "invoiceNumberPattern": "IN{WEEK}/{SEQ:6}" }),
            vec!["invoiceNumberPattern INVALID"],
        ),
        (
            json!({ "creditNoteNumberPattern": "IN/{FY}/{SEQ:6}" }),
            vec!["creditNoteNumberPattern INVALID"],
        ),
    ] {
        assert_eq!(refusals(&isp.set(change.clone()).await), expected, "{change}");
    }
    assert_eq!(isp.settings().await, before);
}

#[tokio::test]
async fn numbers_that_were_given_are_not_given_again() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(None).await;
    let by_name = json!({ "invoiceNumberPattern": "{REG}/{FY}/{SEQ:6}" });
    assert_eq!(refusals(&isp.set(by_name).await), Vec::<String>::new());
    let invoice = isp.issued(subscriber, json!([line("10")])).await;
    assert_eq!(invoice["number"], "KA/26-27/000001");
    // The series that does not name the registration has not begun, and would begin with this very number.
    let literal = json!({ "invoiceNumberPattern": "KA/{FY}/{SEQ:6}" });
    assert_eq!(refusals(&isp.set(literal).await), ["invoiceNumberPattern INVALID"]);
    // Under the other months it is another year.
    let wider = json!({ "invoiceNumberPattern": "KA/{FY}/{SEQ:5}", "fiscalYearStartMonth": 7 });
    assert_eq!(refusals(&isp.set(wider).await), Vec::<String>::new());
    let invoice = isp.issued(subscriber, json!([line("10")])).await;
    assert_eq!(invoice["number"], "KA/25-26/00001");
}

#[tokio::test]
async fn two_registrations_must_be_told_apart() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let named = json!({ "invoiceNumberPattern": "{REG}/{FY}/{SEQ:6}", "creditNoteNumberPattern": "{REG}{FY}/C{SEQ:6}" });
    assert_eq!(refusals(&isp.set(named).await), Vec::<String>::new());
    assert_eq!(refusals(&isp.register(GSTIN_MH).await), Vec::<String>::new());
    let unnamed = json!({ "invoiceNumberPattern": "IN/{FY}/{SEQ:6}" });
    assert_eq!(refusals(&isp.set(unnamed).await), ["invoiceNumberPattern INVALID"]);
}

/// Two who change at once: one of them read what is no longer so.
#[tokio::test]
async fn at_once_one_of_two_is_stale() {
    let isp = Isp::open("in-broadband").await;
    let changes = (1..=6).map(|days| isp.set_at(json!(1), json!({ "dueDays": days })));
    let answers = futures::future::join_all(changes).await;
    let stale = answers
        .iter()
        .filter(|a| refusals(a) == ["expectedVersion STALE_VERSION"])
        .count();
    assert_eq!(stale, 5);
    assert_eq!(isp.settings().await["version"], 2);
}

/// Two documents of different sorts once could have one number, and what was issued last then failed for ever.
#[tokio::test]
async fn no_two_series_can_come_to_the_same_number() {
    let isp = Isp::open("in-broadband").await;
    for (change, expected) in [
        // The same from 1000 on.
        (
            json!({ "invoiceNumberPattern": "A/{FY}/{SEQ:3}", "creditNoteNumberPattern": "A/{FY}/{SEQ:4}" }),
            "creditNoteNumberPattern INVALID",
        ),
        // The same in the calendar year in which the fiscal year begins.
        (
            json!({ "receiptNumberPattern": "R{YYYY}-27/{SEQ:5}", "debitNoteNumberPattern": "R20{FY}/{SEQ:5}" }),
            "debitNoteNumberPattern INVALID",
        ),
        // Nobody is registered, so that documents are named by the country.
        (
            json!({ "invoiceNumberPattern": "{REG}/{FY}/{SEQ:6}", "debitNoteNumberPattern": "IN/{FY}/{SEQ:6}" }),
            "debitNoteNumberPattern INVALID",
        ),
        // What is changed is to blame.
        (
            json!({ "invoiceNumberPattern": "CN/{FY}/{SEQ:5}" }),
            "invoiceNumberPattern INVALID",
        ),
    ] {
        assert_eq!(refusals(&isp.set(change.clone()).await), [expected], "{change}");
    }
}

#[tokio::test]
async fn numbers_of_credit_notes_are_not_given_to_invoices_later() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(None).await;
    let invoice = isp.issued(subscriber, json!([line("10")])).await;
    let document = "mutation ($input: CreditNoteIssueInput!) { creditNoteIssue(input: $input) { creditNote { number } userErrors { code } } }";
    for expected in ["CN/26-27/000001", "CN/26-27/000002"] {
        let input = json!({ "invoiceId": invoice["id"], "amount": "1", "reason": "x", "idempotencyKey": key() });
        let note = isp.ask(document, json!({ "input": input })).await;
        assert_eq!(note["creditNoteIssue"]["creditNote"]["number"], expected);
    }
    assert_eq!(
        refusals(&isp.set(json!({ "creditNoteNumberPattern": "CR/{FY}/{SEQ:6}" })).await),
        Vec::<String>::new()
    );
    for taken in ["invoiceNumberPattern", "debitNoteNumberPattern", "receiptNumberPattern"] {
        let change = json!({ taken: "CN/{FY}/{SEQ:6}" });
        assert_eq!(refusals(&isp.set(change).await), [format!("{taken} INVALID")]);
    }
}

/// It once was "/26-27/000001", which no number may begin with.
#[tokio::test]
async fn who_has_no_registration_is_named_by_the_country() {
    let isp = Isp::open("in-broadband").await;
    let named = json!({ "invoiceNumberPattern": "{REG}/{FY}/{SEQ:6}", "receiptNumberPattern": "R{REG}{FY}/{SEQ:6}" });
    assert_eq!(refusals(&isp.set(named).await), Vec::<String>::new());
    let subscriber = isp.subscriber(None).await;
    let numbers = [
        isp.issued(subscriber, json!([line("10")])).await,
        isp.issued(subscriber, json!([line("10")])).await,
    ];
    assert_eq!(numbers.map(|i| i["number"].clone()), ["IN/26-27/000001", "IN/26-27/000002"]);
    isp.register(GSTIN_KA).await;
    assert_eq!(isp.issued(subscriber, json!([line("10")])).await["number"], "KA/26-27/000001");
}

/// A registration begins series of its own, whose numbers were another's once.
#[tokio::test]
async fn a_registration_is_refused_whose_numbers_were_given_before() {
    let isp = Isp::open("in-broadband").await;
    isp.register(GSTIN_KA).await;
    let subscriber = isp.subscriber(None).await;
    let named = |invoices: &str| json!({ "invoiceNumberPattern": invoices, "creditNoteNumberPattern": "C{REG}{FY}/{SEQ:6}" });
    assert_eq!(refusals(&isp.set(named("MH/{FY}/{SEQ:6}")).await), Vec::<String>::new());
    assert_eq!(isp.issued(subscriber, json!([line("10")])).await["number"], "MH/26-27/000001");
    assert_eq!(refusals(&isp.set(named("{REG}/{FY}/{SEQ:6}")).await), Vec::<String>::new());
    assert_eq!(refusals(&isp.register(GSTIN_MH).await), [" INVALID_STATE"]);
    assert_eq!(refusals(&isp.set(named("{REG}{FY}/{SEQ:6}")).await), Vec::<String>::new());
    assert_eq!(refusals(&isp.register(GSTIN_MH).await), Vec::<String>::new());
}
