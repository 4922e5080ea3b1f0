//! Rows of every ISP in every shared table: a wall in front of an empty table would look sound.

use uuid::Uuid;

use super::catalogue::{Relation, relations};
use crate::harness::{TestDb, TestTenant, execute};

/// Text that stands in each ISP's rows and must be seen by nobody else.
pub fn canary(tenant: &TestTenant) -> String {
    format!("canary-of-{}", tenant.slug)
}

/// Seeds all shared tables for all ISPs; a table that it does not know fails the test.
pub async fn seed(db: &TestDb) -> Vec<Relation> {
    let mut admin = db.admin().await;
    let relations = relations(&mut admin).await;
    for tenant in &db.tenants {
        execute(&mut admin, shared_rows(tenant)).await;
        execute(&mut admin, own_rows(tenant)).await;
    }
    let ours = db.tenants.len();
    for relation in relations
        .iter()
        .filter(|r| r.has("tenant_id") && r.is_table() && !r.partition)
    {
        let path = relation.path();
        let tenants: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(DISTINCT tenant_id) FROM {path}")))
            .fetch_one(&mut admin)
            .await
            .unwrap();
        assert_eq!(
            tenants, ours as i64,
            "{path} has no rows of every ISP: seed it in walls/seed.rs"
        );
    }
    relations
}

fn shared_rows(tenant: &TestTenant) -> String {
    let t = tenant.number;
    let canary = canary(tenant);
    let [nas, service, session, old, event, domain] = [(); 6].map(|()| Uuid::now_v7());
    let account_columns = "tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, acctstarttime, acctupdatetime";
    format!(
        "INSERT INTO radius.tenant (tenant_id, timezone, status) VALUES ({t}, 'Asia/Kolkata', 'active') ON CONFLICT DO NOTHING;
         INSERT INTO radius.nas (uid, tenant_id, name, src_ip, secret) VALUES ('{nas}', {t}, '{canary}', '10.9.8.{t}', '{canary}');
         INSERT INTO radius.account (tenant_id, service_id, username, password, status, version)
             VALUES ({t}, '{service}', '{canary}', '{canary}', 'active', 1);
         INSERT INTO radius.pending (tenant_id, service_id, device, expires_at) VALUES ({t}, '{service}', '{canary}', now());
         INSERT INTO radius.session ({account_columns}, last_packet_at, usage_day)
             VALUES ({t}, '{session}', '{service}', {t}, '{canary}', '{canary}', now(), now(), now(), current_date);
         INSERT INTO radius.radacct ({account_columns}) SELECT {t}, '{old}', '{service}', {t}, '{canary}', '{canary}', d, d
             FROM generate_series(now() - interval '13 months', now() + interval '5 months', interval '1 month') d;
         INSERT INTO radius.radacct_orphan ({account_columns}) VALUES ({t}, '{old}', '{service}', {t}, '{canary}', '{canary}', now(), now());
         INSERT INTO radius.radpostauth (tenant_id, authdate, username, nas_id, reply) SELECT {t}, d, '{canary}', {t}, '{canary}'
             FROM generate_series(now() - interval '13 months', now() + interval '5 months', interval '1 month') d;
         INSERT INTO radius.radpostauth_orphan (tenant_id, authdate, username, nas_id, reply) VALUES ({t}, now(), '{canary}', {t}, '{canary}');
         INSERT INTO radius.usage_day (tenant_id, service_id, day, upload_octets, download_octets, session_seconds)
             SELECT {t}, '{service}', d, 1, 1, 1
             FROM generate_series(current_date - interval '13 months', current_date + interval '5 months', interval '1 month') d;
         INSERT INTO radius.usage_day_orphan (tenant_id, service_id, day, upload_octets, download_octets, session_seconds)
             VALUES ({t}, '{service}', current_date, 1, 1, 1);
         INSERT INTO platform.outbox (tenant_id, event_id, kind, payload, occurred_at) VALUES ({t}, '{event}', 'Canary', '{{\"is\": \"{canary}\"}}', now());
         INSERT INTO platform.tenant_quarantine (tenant_id, version, step, error) VALUES ({t}, 1, '{canary}', '{canary}');
         INSERT INTO platform.job (tenant_id, kind, dedup_key, payload, run_at) VALUES ({t}, 'canary', '{canary}', '{{}}', now());
         INSERT INTO platform.job_fired (tenant_id, fingerprint) VALUES ({t}, convert_to('{canary}', 'UTF8'));
         INSERT INTO platform.membership (id, account_id, tenant_id, link, created_at)
             SELECT gen_random_uuid(), id, {t}, gen_random_uuid(), now() FROM platform.account ORDER BY id LIMIT 1;
         INSERT INTO platform.domain (id, tenant_id, hostname, verification_token, created_at)
             VALUES ('{domain}', {t}, '{canary}.example', '{canary}', now());"
    )
}

/// Rows in the ISP's own schema, enough that an answer from another would be seen.
fn own_rows(tenant: &TestTenant) -> String {
    let canary = canary(tenant);
    let [subscriber, plan] = [(); 2].map(|()| Uuid::now_v7());
    format!(
        "SET search_path = {role};
         INSERT INTO subscriber (id, account_number, name, status, created_at) VALUES ('{subscriber}', '{canary}', '{canary}', 'ACTIVE', now());
         INSERT INTO plan (id, code, name, kind, payment_mode, bill_in, period_unit, period_count, created_at)
             VALUES ('{plan}', '{canary}', '{canary}', 'BROADBAND', 'PREPAID', 'ADVANCE', 'MONTH', 1, now());
         INSERT INTO invoice_template (source, version, updated_at) VALUES ('{canary}', 1, now());
         RESET search_path",
        role = tenant.role,
    )
}
