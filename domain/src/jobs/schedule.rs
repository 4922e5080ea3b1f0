use std::sync::Arc;

use crate::kernel::Actor;
use crate::kernel::db::Database;
use crate::kernel::error::Result;

/// Asks for the jobs `kinds` once per open ISP and date on its own calendar, as soon as that date has begun there.
pub async fn schedule_daily(database: &Database, kinds: &[&str]) -> Result<u64> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    let asked = tx
        .sql(
            "INSERT INTO platform.job (tenant_id, kind, dedup_key, payload, run_at)
             SELECT t.id, k.kind, d.today::text, jsonb_build_object('date', d.today), $2
             FROM platform.tenant t, unnest($1::text[]) AS k(kind),
                 LATERAL (SELECT ($2::timestamptz AT TIME ZONE t.timezone)::date AS today) d
             WHERE t.status IN ('ACTIVE', 'TRIAL') AND NOT EXISTS (SELECT FROM platform.job_fired f
                 WHERE f.tenant_id = t.id AND f.fingerprint = platform.job_fingerprint(k.kind, d.today::text))
             ON CONFLICT DO NOTHING",
        )
        .bind(kinds.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>())
        .bind(tx.now())
        .run()
        .await?;
    tx.commit().await?;
    Ok(asked)
}
