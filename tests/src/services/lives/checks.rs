//! What must be true of a life at any time.

use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use trunkline_domain::billing::rules::{CreditExplanation, Explanation, replay, replay_credit};

use super::Life;

/// The whole days on which the service of a pause `q` was off.
const PAUSED: &str = "tstzrange(q.starts_on::timestamp AT TIME ZONE '{zone}', q.ends_on::timestamp AT TIME ZONE '{zone}')";

impl Life<'_> {
    pub async fn ask(&mut self, sql: &str) -> Vec<Value> {
        let text = format!("SELECT to_jsonb(x) FROM ({sql}) x").replace("{role}", &format!("\"{}\"", self.role));
        let text = text.replace("{zone}", self.zone);
        sqlx::query_scalar(AssertSqlSafe(text))
            .fetch_all(&mut self.admin)
            .await
            .unwrap()
    }

    /// Prints the last step and what it leaves behind, where one life is told.
    pub async fn tell(&mut self, story: &[String]) {
        if super::told().is_none() {
            return;
        }
        println!("{}", story[story.len() - 1]);
        let service =
            "SELECT status, suspension_cause, suspension_since, awaits_payment, anchor_at, period_starts_at, period_ends_at,
             billed_until, next_billing_on, ends_on, plan_version_id FROM {role}.service";
        let covered =
            "SELECT c.charge, lower(c.period) AS from, upper(c.period) AS to, c.days, c.price, i.number, i.amount_due, i.status,
             l.description FROM {role}.coverage c JOIN {role}.invoice_line l ON l.id = c.invoice_line_id
             JOIN {role}.invoice i ON i.id = l.invoice_id ORDER BY 2";
        for row in [self.ask(service).await, self.ask(covered).await].concat() {
            println!("    {row}");
        }
    }

    async fn none(&mut self, what: &str, sql: &str, story: &[String]) {
        let found = self.ask(sql).await;
        assert!(found.is_empty(), "{what}: {found:#?}\n{}", story.join("\n"));
    }

    pub async fn check(&mut self, story: &[String]) {
        self.none(
            "a running total is not what its transfers sum to",
            "SELECT a.* FROM {role}.ledger_account a LEFT JOIN LATERAL (
                 SELECT coalesce(sum(amount) FILTER (WHERE debit_account_id = a.id), 0) AS debit,
                     coalesce(sum(amount) FILTER (WHERE credit_account_id = a.id), 0) AS credit
                 FROM {role}.ledger_transfer t WHERE a.id IN (t.debit_account_id, t.credit_account_id)) s ON true
             WHERE a.subscriber_id IS NOT NULL AND (a.debit_total, a.credit_total) <> (s.debit, s.credit)",
            story,
        )
        .await;
        self.none(
            "the balance is not what is due less the credit in hand",
            "SELECT 1 FROM (SELECT coalesce(sum(debit_total - credit_total), 0) AS owed FROM {role}.ledger_account
                 WHERE kind = 'RECEIVABLE') r, (SELECT coalesce(sum(amount_due), 0) AS due FROM {role}.invoice) i WHERE owed <> due",
            story,
        )
        .await;
        self.none(
            "credit notes are not what their invoice says",
            "SELECT i.id FROM {role}.invoice i LEFT JOIN {role}.credit_note n ON n.invoice_id = i.id GROUP BY i.id
             HAVING i.credit_noted <> coalesce(sum(n.total), 0)",
            story,
        )
        .await;
        self.check_days(story).await;
        self.check_today(story).await;
        self.check_pauses(story).await;
        self.check_explanations(story).await;
    }

    /// When it is on again no day of a pause stays charged, unless the ISP keeps what was charged.
    async fn check_pauses(&mut self, story: &[String]) {
        if self.staff.is_some() {
            return;
        }
        let sql = format!(
            "SELECT q.starts_on, q.ends_on, c.charge, c.period FROM {{role}}.service_pause q JOIN {{role}}.service s ON s.id = q.service_id
             JOIN {{role}}.coverage c ON c.service_id = s.id AND c.period && {PAUSED}
             WHERE q.ended AND s.status IN ('ACTIVE', 'GRACE') AND (SELECT suspension_credit <> 'NONE' FROM {{role}}.billing_settings)"
        );
        self.none("days of a pause are charged", &sql, story).await;
    }

    /// Each line comes out of its explanation again.
    async fn check_explanations(&mut self, story: &[String]) {
        for line in self
            .ask("SELECT amount::numeric(19,2)::text, explanation FROM {role}.invoice_line")
            .await
        {
            let of: Explanation = serde_json::from_value(line["explanation"].clone()).unwrap();
            let again = replay(&of).unwrap().amount.amount().to_string();
            assert_eq!(json!(again), line["amount"], "{line:#}\n{}", story.join("\n"));
        }
        for line in self
            .ask("SELECT amount::numeric(19,2)::text, explanation FROM {role}.credit_note_line")
            .await
        {
            let of: CreditExplanation = serde_json::from_value(line["explanation"].clone()).unwrap();
            let again = replay_credit(&of).unwrap().amounts.amount.amount().to_string();
            assert_eq!(json!(again), line["amount"], "{line:#}\n{}", story.join("\n"));
        }
    }

    /// Of each line: the days that it charges are covered or credited, and it has come to what the covered ones are worth.
    async fn check_days(&mut self, story: &[String]) {
        let lines = self
            .ask(
                "SELECT l.id, l.amount, (l.explanation #>> '{line,charge,price,amount}')::numeric AS price,
                     (l.explanation #>> '{line,charge,days,days}')::integer AS days,
                     (l.explanation #>> '{line,charge,days,period_days}')::integer AS total,
                     coalesce((l.explanation #>> '{line,charge,units}')::integer, 1) AS units,
                     coalesce(l.explanation #> '{line,discount,parts}', '[]') AS parts,
                     l.explanation #> '{line,inclusive}' AS inclusive,
                     c.spread, coalesce(c.days, 0) AS covered, coalesce(c.value, 0) AS value,
                     coalesce(n.days, 0) AS credited, coalesce(n.amount, 0) AS gone, coalesce(n.by_hand, 0) AS by_hand, coalesce(n.lines, 0) AS lines
                 FROM {role}.invoice_line l JOIN {role}.invoice i ON i.id = l.invoice_id
                 LEFT JOIN LATERAL (
                     SELECT max(c.days) AS spread, sum(d.days) AS days,
                         sum(d.days * coalesce(c.price, (l.explanation #>> '{line,charge,price,amount}')::numeric)) AS value
                     FROM {role}.coverage c, LATERAL (SELECT (upper(c.period) AT TIME ZONE '{zone}')::date
                         - (lower(c.period) AT TIME ZONE '{zone}')::date AS days) d WHERE c.invoice_line_id = l.id) c ON true
                 LEFT JOIN LATERAL (
                     SELECT sum(m.amount) AS amount, count(*) AS lines,
                         sum(m.amount) FILTER (WHERE m.period_starts_at IS NULL) AS by_hand,
                         sum((m.period_ends_at AT TIME ZONE '{zone}')::date - (m.period_starts_at AT TIME ZONE '{zone}')::date)
                             FILTER (WHERE m.explanation #>> '{credit,type}' <> 'CHEAPER') AS days
                     FROM {role}.credit_note_line m WHERE m.invoice_line_id = l.id) n ON true
                 WHERE (l.kind = 'PERIOD' OR l.explanation #> '{line,charge,days}' IS NOT NULL) AND i.status <> 'VOID'",
            )
            .await;
        for line in lines {
            let number = |name: &str| line[name].to_string().trim_matches('"').parse::<Decimal>().unwrap();
            let spread = if line["spread"].is_null() {
                number("days")
            } else {
                number("spread")
            };
            // What was charged at nothing, or is given back by hand, is not covered any more without a credit note.
            if number("covered") > Decimal::ZERO && number("amount") > Decimal::ZERO && number("by_hand").is_zero() {
                assert_eq!(
                    number("covered") + number("credited"),
                    spread,
                    "{line:#}\n{}",
                    story.join("\n")
                );
            }
            let left = number("amount") - number("gone");
            let parts = line["parts"].as_array().unwrap();
            let of_full_period = number("days") / spread / number("total");
            let discounted = |worth: Decimal, share: Decimal| parts.iter().fold(worth, |left, part| less(left, part, share));
            let mut worth = discounted(
                number("value") * number("units") * of_full_period,
                number("covered") * of_full_period,
            );
            if line["inclusive"] == true {
                // What is credited of a price that contains tax contains as much of it.
                let share = number("days") / number("total");
                let price = discounted(number("price") * number("units") * share, share);
                worth = if price.is_zero() {
                    price
                } else {
                    worth * number("amount") / price
                };
            }
            let worth = (worth - number("by_hand")).max(Decimal::ZERO);
            let rounded = Decimal::from(parts.len() + 1);
            let bound = Decimal::new(1, 2) * (number("lines") + Decimal::ONE) * rounded;
            assert!(
                (left - worth).abs() <= bound,
                "{left} is left, {worth} is worth: {line:#}\n{}",
                story.join("\n")
            );
        }
    }

    /// Where it was on when time went on, and is still, each day between is charged, or will be when its period has ended: nobody
    /// pays, stops or resumes anything meanwhile.
    pub async fn check_between(&mut self, on_at: Option<NaiveDateTime>, story: &[String]) {
        let Some(from) = on_at else { return };
        let sql = format!(
            "SELECT s.status, p.bill_in, s.billed_until, s.next_billing_on, (tstzmultirange(tstzrange('{from}Z', CASE p.bill_in WHEN 'ADVANCE' THEN platform.now()
                     ELSE greatest('{from}Z', least(coalesce(s.billed_until, '{from}Z'), platform.now())) END)) - coalesce((SELECT range_agg(c.period) FROM {{role}}.coverage c
                     WHERE c.service_id = s.id AND c.charge = 'plan'), '{{}}') - coalesce((SELECT range_agg({PAUSED})
                     FROM {{role}}.service_pause q WHERE q.ended), '{{}}'))::text AS gaps
             FROM {{role}}.service s JOIN {{role}}.plan p ON p.id = s.plan_id
             WHERE s.status IN ('ACTIVE', 'GRACE') AND coalesce(s.next_billing_on > (platform.now() AT TIME ZONE '{{zone}}')::date, true)"
        );
        for service in self.ask(&sql).await {
            assert_eq!(
                service["gaps"],
                "{}",
                "not charged since {from}: {service:#}\n{}",
                story.join("\n")
            );
        }
    }

    /// Whether it is on.
    pub async fn is_on(&mut self) -> bool {
        let sql = "SELECT 1 FROM {role}.service WHERE status IN ('ACTIVE', 'GRACE') AND started_on IS NOT NULL";
        !self.ask(sql).await.is_empty()
    }

    /// A service that is on has today charged once, or is charged for it when its period ends.
    async fn check_today(&mut self, story: &[String]) {
        // Nothing is charged between the day's run and the next: what resumes meanwhile waits for that.
        let sql = "SELECT s.status, p.bill_in, s.ends_on, s.next_billing_on,
                 coalesce(s.next_billing_on <= (platform.now() AT TIME ZONE '{zone}')::date, false) AS is_due, (SELECT count(*) FROM {role}.coverage c
                 JOIN {role}.invoice_line l ON l.id = c.invoice_line_id
                 WHERE c.service_id = s.id AND c.charge = 'plan' AND c.period @> platform.now()
                     AND (p.bill_in = 'ADVANCE' OR l.description NOT LIKE '%free trial%')) AS covered
             FROM {role}.service s JOIN {role}.plan p ON p.id = s.plan_id";
        for service in self.ask(sql).await {
            let on = ["ACTIVE", "GRACE"].contains(&service["status"].as_str().unwrap());
            let expected = match (on, service["bill_in"].as_str().unwrap()) {
                (true, "ADVANCE") if service["is_due"] == true => continue,
                (true, "ADVANCE") => json!(1),
                (true, _) => json!(0),
                (false, _) => continue,
            };
            assert_eq!(service["covered"], expected, "{service:#}\n{}", story.join("\n"));
        }
    }
}

/// What a discount leaves of what a share of a full period is worth.
fn less(left: Decimal, part: &Value, share: Decimal) -> Decimal {
    let number = |value: &Value| value.as_str().unwrap().parse::<Decimal>().unwrap();
    match part["off"]["type"].as_str().unwrap() {
        "PERCENT" => left * (Decimal::ONE_HUNDRED - number(&part["off"]["percent"])) / Decimal::ONE_HUNDRED,
        _ => (left - number(&part["off"]["amount"]["amount"]) * share).max(Decimal::ZERO),
    }
}
