//! Two ISPs with an object of every kind, and whose it is.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use trunkline_domain::kernel::ids::KINDS;
use uuid::Uuid;

use super::inputs::Ids;
use super::schema::{RootField, Schema};
use crate::harness::{FirstSubscriber, PASSWORD, TestApp, TestTenant, execute, key};

/// Stands in every text of the ISP whose data must not be seen.
pub fn canary(slug: &str) -> String {
    format!("Canary of {slug}")
}

/// One ISP's objects.
pub struct World {
    pub tenant: TestTenant,
    pub first: FirstSubscriber,
    /// Somebody else of the same ISP.
    pub second: FirstSubscriber,
    /// Id of one object per kind; those of the second subscriber where there are two.
    ids: Vec<(&'static str, String)>,
}

impl World {
    /// Fills the ISP: all its texts hold its canary.
    pub async fn fill(app: &TestApp, slug: &str) -> Self {
        let tenant = app.db.tenants.iter().find(|t| t.slug == slug).unwrap().clone();
        let owner = app.on(slug).as_owner();
        let canary = canary(slug);
        let name = format!("{canary}-1");
        // User names and codes are words.
        let first = owner.first_subscriber(&name.replace(' ', ".")).await;
        let second = owner.first_subscriber(&format!("{canary}-2").replace(' ', ".")).await;
        for (subscriber, paid) in [(&first, "100.00"), (&second, "50.00")] {
            owner.portal_password(&subscriber.subscriber).await;
            owner.pay(&subscriber.subscriber, paid).await;
            let lines = json!([{ "description": canary, "unitPrice": "10.00" }]);
            let input = json!({ "subscriberId": subscriber.subscriber, "lines": lines, "idempotencyKey": key() });
            let draft = json!({ "subscriberId": subscriber.subscriber, "lines": lines, "idempotencyKey": key() });
            owner.mutate("invoiceDraftCreate", draft, "invoiceDraft { id }").await.done();
            let issued = owner.mutate("invoiceIssue", input, "invoice { id }").await.done();
            let credit =
                json!({ "invoiceId": issued["invoice"]["id"], "amount": "1.00", "reason": canary, "idempotencyKey": key() });
            owner.mutate("creditNoteIssue", credit, "creditNote { id }").await.done();
            let promise =
                json!({ "subscriberId": subscriber.subscriber, "until": "2026-04-05", "note": canary, "idempotencyKey": key() });
            owner.mutate("promiseToPayCreate", promise, "promise { id }").await.done();
            let deposit = json!({ "subscriberId": subscriber.subscriber, "amount": "20.00", "description": canary, "idempotencyKey": key() });
            let deposit = owner.mutate("depositCharge", deposit, "deposit { id }").await.done();
            owner.pay(&subscriber.subscriber, "5000.00").await;
            let back = json!({ "id": deposit["deposit"]["id"], "amount": "5.00", "reason": canary, "idempotencyKey": key(),
                "payOut": { "method": "CASH", "reference": canary } });
            owner.mutate("depositReturn", back, "deposit { id }").await.done();
        }
        let addon = json!({ "code": name, "name": canary, "price": "5.00" });
        let addon = owner.mutate("addonCreate", addon, "addon { id }").await.done()["addon"]["id"].clone();
        for of in [&first, &second] {
            let more = json!({ "serviceId": of.service, "addonId": addon, "idempotencyKey": key() });
            owner.mutate("serviceAddonAdd", more, "serviceAddon { id }").await.done();
            let once = json!({ "serviceId": of.service, "description": canary, "unitPrice": "5.00", "idempotencyKey": key() });
            owner.mutate("serviceChargeAdd", once, "charge { id }").await.done();
        }
        let coupon = json!({ "code": name.replace(' ', "."), "name": canary, "percent": "1" });
        owner.mutate("couponCreate", coupon, "coupon { id }").await.done();
        for of in [&first, &second] {
            let off = json!({ "serviceId": of.service, "couponCode": name.replace(' ', "."), "idempotencyKey": key() });
            owner.mutate("couponRedeem", off, "discount { id }").await.done();
        }
        let nas = json!({ "name": canary, "address": format!("10.77.0.{}", tenant.number), "secret": "long-enough-secret" });
        owner.mutate("nasCreate", nas, "nas { id }").await.done();
        if slug != "baraka" {
            let registration = json!({ "country": "IN", "region": "KA", "taxId": "29AAGCB7383J1Z4" });
            owner
                .mutate("taxRegistrationAdd", registration, "registration { id }")
                .await
                .done();
        }
        // Who may do nothing, so that whoever may change staff at all may change them.
        let staff = json!({ "name": canary, "email": format!("canary@{slug}.example"), "password": PASSWORD, "role": "nothing" });
        owner.mutate("staffCreate", staff, "staff { id }").await.done();
        let invitation = json!({ "email": format!("canary-of-{slug}@mail.example"), "role": "nothing" });
        owner.mutate("staffInvite", invitation, "invitation { id }").await.done();
        let hold = json!({ "reason": canary, "until": "2026-04-03T00:00:00Z", "idempotencyKey": key() });
        owner.mutate("collectionHoldCreate", hold, "hold { id }").await.done();
        app.run_jobs().await;
        let mut admin = app.db.admin().await;
        under_the_product(&mut admin, &tenant, &canary).await;
        let ids = ids(&mut admin, &tenant).await;
        Self {
            tenant,
            first,
            second,
            ids,
        }
    }

    pub fn id(&self, kind: &str) -> &str {
        let found = self.ids.iter().find(|(k, _)| *k == kind);
        found
            .map(|(_, id)| id.as_str())
            .unwrap_or_else(|| panic!("no id of kind {kind}"))
    }

    pub fn ids(&self) -> &[(&'static str, String)] {
        &self.ids
    }

    /// Own ids for every place of a root field that needs one, and for `place` the given one.
    pub fn ids_for(&self, schema: &Schema, root: &RootField, place: Option<(&str, &str)>) -> Ids {
        let mut out = Ids::new();
        for position in schema.id_positions(root) {
            match place {
                Some((p, id)) if p == position => _ = out.insert(position, id.to_owned()),
                _ if required(root, &position) => {
                    let kind = kind_at(root, &position);
                    out.insert(position, self.id(kind).to_owned());
                }
                _ => {}
            }
        }
        out
    }
}

/// Ids that are optional are given only where they are tried.
fn required(root: &RootField, position: &str) -> bool {
    let optional = ["billToId", "directorId", "invoiceIds[]", "gatewayId", "staffId"];
    let last = position.rsplit('.').next().unwrap();
    let exempt = position.starts_with("filter.") || optional.contains(&last) || (root.name() == "vouchers" && last == "batchId");
    !exempt
}

/// The kind of id that a place takes, from the names that the contract uses.
pub fn kind_at(root: &RootField, position: &str) -> &'static str {
    let last = position.rsplit('.').next().unwrap().trim_end_matches("[]");
    let noun = if last == "id" { root.name() } else { last };
    let by_prefix = [
        ("subscriberPasswordSet", "subscriber"),
        ("billTo", "subscriber"),
        ("subscriber", "subscriber"),
        ("serviceAddon", "serviceaddon"),
        ("serviceCharge", "charge"),
        ("serviceDiscount", "discount"),
        ("coupon", "coupon"),
        ("service", "service"),
        ("addon", "addon"),
        ("planVersion", "planversion"),
        ("plan", "plan"),
        ("invoiceLine", "line"),
        ("invoiceDraft", "invoicedraft"),
        ("ledgerAccount", "ledgeraccount"),
        ("creditNote", "creditnote"),
        ("billingRun", "billingrun"),
        ("invoice", "invoice"),
        ("payment", "payment"),
        ("refund", "refund"),
        ("deposit", "deposit"),
        ("fromSubscriber", "subscriber"),
        ("toSubscriber", "subscriber"),
        ("promise", "promise"),
        ("dunningBrake", "brake"),
        ("collectionHold", "hold"),
        ("nas", "nas"),
        ("radiusSession", "session"),
        ("session", "usersession"),
        ("tenant", "tenant"),
        ("domain", "domain"),
        ("director", "director"),
        ("membership", "membership"),
        ("staffInvitation", "invitation"),
        ("staff", "staff"),
        // Of the audit's filter, which takes ids of any kind.
        ("actor", "staff"),
        ("target", "subscriber"),
        ("taxRegistration", "taxreg"),
        ("job", "job"),
        ("node", "plan"),
    ];
    by_prefix
        .iter()
        .find(|(prefix, _)| noun.starts_with(prefix))
        .map(|(_, kind)| *kind)
        .unwrap_or_else(|| {
            panic!(
                "{}.{position}: say in isolation/world.rs which kind of id it takes",
                root.name()
            )
        })
}

/// What the product's own API does not make in this version or only makes over RADIUS.
async fn under_the_product(admin: &mut PgConnection, tenant: &TestTenant, canary: &str) {
    let t = tenant.number;
    let [session, domain, signed_in, membership, link, brake] = [(); 6].map(|()| Uuid::now_v7());
    execute(
        admin,
        format!(
            "INSERT INTO radius.session (tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, acctstarttime, acctupdatetime,
                 last_packet_at, usage_day)
             SELECT {t}, '{session}', (SELECT id FROM {role}.service ORDER BY id DESC LIMIT 1), n.id, '{canary}', '{canary}', platform.now(),
                 platform.now(), platform.now(), platform.now()::date FROM radius.nas n WHERE n.tenant_id = {t};
             INSERT INTO platform.domain (id, tenant_id, hostname, verification_token, created_at)
             VALUES ('{domain}', {t}, 'canary-of-{slug}.example', '{canary}', platform.now());
             INSERT INTO {role}.session (id, principal_kind, principal_id, family_hash, refresh_hash, user_agent, created_at, last_used_at,
                 idle_until, expires_at)
             SELECT '{signed_in}', 'STAFF', id, 'f', 'r', '{canary}', platform.now(), platform.now(), platform.now() + interval '1 year',
                 platform.now() + interval '1 year' FROM {role}.staff WHERE email = 'nothing@{slug}.example';
             INSERT INTO platform.membership (id, account_id, tenant_id, link, created_at, joined_at)
             SELECT '{membership}', id, {t}, '{link}', platform.now(), platform.now() FROM platform.account
             WHERE kind = CASE '{slug}' WHEN 'chandra' THEN 'DIRECTOR' ELSE 'PLATFORM_STAFF' END;
             INSERT INTO platform.job (tenant_id, kind, payload, run_at, attempts, parked_at, last_error)
             VALUES ({t}, 'probe.job', '{{\"is\": \"{canary}\"}}', platform.now(), 3, platform.now(), 'failed');
             INSERT INTO {role}.invoice_template (source, version, updated_at) VALUES ('{canary}', 1, platform.now());
             INSERT INTO {role}.dunning_brake (id, reasons, suspensions, subscribers, terminations, of_subscribers, unmatched, first_on,
                 last_on, until, braked_at, ended_at, released_on, release_reason)
             VALUES ('{brake}', '{{TOO_MANY}}', 1, 1, 0, 1, 0, '2026-03-01', '2026-03-01', platform.now(), platform.now(), platform.now(),
                 '2026-03-01', '{canary}');
             UPDATE platform.tenant SET director_id = (SELECT id FROM platform.director LIMIT 1) WHERE slug = 'chandra';",
            role = tenant.role,
            slug = tenant.slug,
        ),
    )
    .await;
}

/// One id of every kind that the product has.
async fn ids(admin: &mut PgConnection, tenant: &TestTenant) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    for kind in KINDS {
        let own = |table: &str| format!("SELECT id FROM {}.{table} ORDER BY id DESC LIMIT 1", tenant.role);
        let shared =
            |column: &str, table: &str| format!("SELECT {column} FROM {table} WHERE tenant_id = {} LIMIT 1", tenant.number);
        let sql = match *kind {
            "plan" => own("plan"),
            "planversion" => own("plan_version"),
            "addon" => own("addon"),
            "serviceaddon" => own("service_addon"),
            "charge" => own("one_time_charge"),
            "coupon" => own("coupon"),
            "discount" => own("service_discount"),
            "subscriber" => own("subscriber"),
            "service" => own("service"),
            "invoice" => own("invoice"),
            "invoicedraft" => own("invoice_draft"),
            "line" => own("invoice_line"),
            "creditnote" => own("credit_note"),
            "billingrun" => own("billing_run"),
            "taxreg" => own("tax_registration"),
            "ledgeraccount" => own("ledger_account"),
            "ledgerentry" => own("ledger_entry"),
            "payment" => own("payment"),
            "refund" => own("refund"),
            "deposit" => own("deposit"),
            "promise" => own("promise_to_pay"),
            "brake" => own("dunning_brake"),
            "hold" => own("collection_hold"),
            "staff" => own("staff"),
            "usersession" => format!(
                "SELECT id FROM {}.session WHERE user_agent = '{}'",
                tenant.role,
                canary(&tenant.slug)
            ),
            "membership" => shared("id", "platform.membership"),
            "invitation" => own("staff_invitation"),
            // Nobody is shown an event's id.
            "event" => "SELECT gen_random_uuid()".into(),
            "job" => format!(
                "SELECT lpad(to_hex(id), 32, '0')::uuid FROM platform.job WHERE tenant_id = {} AND parked_at IS NOT NULL",
                tenant.number
            ),
            "nas" => shared("uid", "radius.nas"),
            "session" => shared("acctuniqueid", "radius.session"),
            "domain" => shared("id", "platform.domain"),
            "tenant" => format!("SELECT uid FROM platform.tenant WHERE id = {}", tenant.number),
            "director" => "SELECT id FROM platform.director LIMIT 1".into(),
            "account" => "SELECT id FROM platform.account LIMIT 1".into(),
            kind => panic!("ids of kind {kind}: say in isolation/world.rs where they are"),
        };
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut *admin).await.unwrap();
        let row = row.unwrap_or_else(|| panic!("{} has no object of kind {kind}", tenant.slug));
        out.push((*kind, format!("{kind}_{}", row.get::<Uuid, _>(0).simple())));
    }
    out
}

/// Fingerprint of all that an ISP has, its own schema and its shared rows.
pub async fn fingerprint(admin: &mut PgConnection, tenant: &TestTenant) -> Vec<(String, String)> {
    let tables: Vec<(String, bool)> = sqlx::query_as(
        "SELECT format('%I.%I', n.nspname, c.relname), n.nspname = $1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND (n.nspname = $1 OR n.nspname IN ('radius', 'platform')
           AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')) ORDER BY 1",
    )
    .bind(&tenant.role)
    .fetch_all(&mut *admin)
    .await
    .unwrap();
    assert!(tables.len() > 30, "{} tables", tables.len());
    let mut out = Vec::new();
    for (table, own) in tables {
        let whose = if own {
            "true".into()
        } else {
            format!("t.tenant_id = {}", tenant.number)
        };
        let sql = format!("SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t WHERE {whose}");
        let sum: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *admin).await.unwrap();
        out.push((table, sum));
    }
    out
}
