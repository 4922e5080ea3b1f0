//! A canary in every column of an ISP that can hold a text, found in the catalogue: whatever shows another ISP's data shows
//! one of them.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::world::canary;
use crate::harness::{TestTenant, execute};

/// Columns that refused the canary, with the SQLSTATE that they gave.
const REFUSALS: [(&str, &str); 5] = [
    ("23514", "a CHECK names its values"),
    ("23503", "a foreign key does"),
    ("428C9", "it is generated"),
    ("22001", "it is too narrow"),
    ("22023", "a CHECK calls a function that refuses it"),
];

/// Writes the canary over all texts, lists of texts and JSON of the ISP, in its schema and in the shared tables. Nobody of
/// that ISP can work afterwards. The number of columns that hold it.
pub async fn poison(admin: &mut PgConnection, tenant: &TestTenant) -> usize {
    let columns: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT format('%I.%I', n.nspname, c.relname), quote_ident(a.attname), a.atttypid::regtype::text,
                CASE WHEN n.nspname = $1 THEN 'true' ELSE 'tenant_id = ' || $2 END
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
           AND a.atttypid IN ('text'::regtype, 'text[]'::regtype, 'varchar'::regtype, 'jsonb'::regtype, 'json'::regtype)
           AND (n.nspname = $1 OR n.nspname IN ('radius', 'platform')
             AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id'))
         ORDER BY 1, a.attnum",
    )
    .bind(&tenant.role)
    .bind(tenant.number.to_string())
    .fetch_all(&mut *admin)
    .await
    .unwrap();
    let mut held = 0;
    for (table, column, kind, whose) in columns {
        let text = format!("'{} in {table}.{column} ' || ctid", canary(&tenant.slug));
        let value = match kind.as_str() {
            "text[]" => format!("ARRAY[{text}]"),
            "jsonb" | "json" => format!("{kind}_build_object('canary', {text})"),
            _ => text,
        };
        let mut tx = admin.begin().await.unwrap();
        let update = format!("UPDATE {table} SET {column} = {value} WHERE {whose}");
        match sqlx::query(AssertSqlSafe(update)).execute(&mut *tx).await {
            Ok(done) => {
                tx.commit().await.unwrap();
                held += usize::from(done.rows_affected() > 0);
            }
            Err(e) => {
                let code = e.as_database_error().and_then(|d| d.code()).unwrap_or_default().into_owned();
                let excused = REFUSALS.iter().any(|(known, _)| *known == code);
                assert!(excused, "{table}.{column} holds no canary: {e}");
            }
        }
    }
    let slug = &tenant.slug;
    execute(
        admin,
        format!("UPDATE platform.tenant SET name = '{}' WHERE slug = '{slug}'", canary(slug)),
    )
    .await;
    held
}
