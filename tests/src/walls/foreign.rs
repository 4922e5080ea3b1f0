//! As one ISP's role: what belongs to others is refused or empty.

use sqlx::Row;

use super::catalogue::{Answer, Relation, attempt, counted};
use super::seed::{canary, seed};
use crate::harness::TestDb;

/// Shared relations that an ISP may read, its own rows only.
const READABLE: &[&str] = &[
    "radius.account",
    "radius.nas",
    "radius.radacct",
    "radius.radacct_orphan",
    "radius.radpostauth",
    "radius.session",
    "radius.session_all",
    "radius.usage_day",
    "radius.usage_day_orphan",
    "radius.usage_live",
];

#[tokio::test]
async fn a_tenant_role_reads_no_row_of_another() {
    let db = TestDb::new().await;
    let relations = seed(&db).await;
    for tenant in &db.tenants {
        let mut conn = db.inside(tenant).await;
        let mut readable = Vec::new();
        for r in &relations {
            let path = r.path();
            if r.schema == tenant.role {
                continue;
            }
            let Some(others) = counted(&mut conn, &others(r, tenant.number)).await else {
                continue;
            };
            assert_eq!(others, 0, "{} sees rows of others in {path}", tenant.slug);
            assert!(
                !r.partition,
                "{} may read the partition {path} past its parent's policy",
                tenant.slug
            );
            assert!(
                r.row_security || r.kind == "v",
                "{path} is readable without row-level security"
            );
            let own = counted(
                &mut conn,
                &format!("SELECT count(*) FROM {path} WHERE tenant_id = {}", tenant.number),
            )
            .await;
            assert!(own > Some(0), "{} does not even see its own rows in {path}", tenant.slug);
            readable.push(format!("{}.{}", r.schema, r.name));
        }
        assert_eq!(readable, READABLE, "what {} may read", tenant.slug);
    }
}

/// Counts rows of others: all rows, where no column says whose they are.
fn others(r: &Relation, own: i32) -> String {
    let path = r.path();
    match r.has("tenant_id") {
        true => format!("SELECT count(*) FROM {path} WHERE tenant_id IS DISTINCT FROM {own}"),
        false => format!("SELECT count(*) FROM {path}"),
    }
}

#[tokio::test]
async fn a_tenant_role_sees_no_canary_in_any_column_that_it_may_read() {
    let db = TestDb::new().await;
    let relations = seed(&db).await;
    let [me, other, _] = &db.tenants[..] else {
        panic!("three tenants")
    };
    let mut conn = db.inside(me).await;
    let (mut seen_own, mut tried) = (0, 0);
    for r in relations.iter().filter(|r| r.kind != "S") {
        for column in &r.columns {
            tried += 1;
            let sql = format!("SELECT DISTINCT \"{column}\"::text FROM {}", r.path());
            let Answer::Rows(rows) = attempt(&mut conn, &sql).await else {
                continue;
            };
            for row in rows {
                let text: Option<String> = row.get(0);
                let text = text.unwrap_or_default();
                assert!(!text.contains(&canary(other)), "{}.{column} shows {text}", r.path());
                seen_own += usize::from(text.contains(&canary(me)));
            }
        }
    }
    assert!(tried > 1_000, "{tried} columns");
    assert!(seen_own > 8, "own canaries are visible, or the test sees nothing: {seen_own}");
}

#[tokio::test]
async fn secrets_are_written_and_never_read_back() {
    let db = TestDb::new().await;
    let mut conn = db.inside(&db.tenants[0]).await;
    for sql in [
        "SELECT secret FROM radius.nas",
        "SELECT password FROM radius.account",
        "SELECT n::text FROM radius.nas n",
        "SELECT a::text FROM radius.account a",
        "SELECT to_jsonb(n) FROM radius.nas n",
        "SELECT count(*) FROM radius.account WHERE password = 'x'",
        "SELECT 1 FROM radius.nas ORDER BY secret",
        "UPDATE radius.nas SET name = secret RETURNING name",
        "UPDATE radius.account SET username = password",
        "UPDATE radius.account SET username = 'x' RETURNING password",
        "DELETE FROM radius.account RETURNING password",
        "SELECT payload FROM platform.outbox",
        "SELECT payload FROM platform.job",
        "INSERT INTO platform.job (kind, payload, run_at) VALUES ('x', '{}', now()) RETURNING id",
    ] {
        let answer = attempt(&mut conn, sql).await;
        assert!(answer.denied(), "{sql}: {answer:?}");
    }
}

#[tokio::test]
async fn a_tenant_role_changes_no_row_of_another() {
    let db = TestDb::new().await;
    let relations = seed(&db).await;
    let me = &db.tenants[0];
    let mut conn = db.inside(me).await;
    let (mut denied, mut empty) = (0, 0);
    for r in relations.iter().filter(|r| r.schema != me.role && r.kind != "S") {
        let path = r.path();
        let column = &r.columns[0];
        let of_others = if r.has("tenant_id") {
            format!("WHERE tenant_id <> {}", me.number)
        } else {
            String::new()
        };
        let mut tries = vec![
            format!("DELETE FROM {path} {of_others} RETURNING 1"),
            format!("TRUNCATE {path}"),
            format!("ALTER TABLE {path} ADD COLUMN mine int"),
        ];
        tries.extend(
            r.columns
                .iter()
                .map(|c| format!("UPDATE {path} SET \"{c}\" = \"{c}\" {of_others} RETURNING 1")),
        );
        tries.push(format!(
            "INSERT INTO {path} (\"{column}\") SELECT \"{column}\" FROM {path} {of_others} LIMIT 1 RETURNING 1"
        ));
        for sql in tries {
            match attempt(&mut conn, &sql).await {
                Answer::Rows(rows) => {
                    assert!(rows.is_empty(), "{sql} touched {} rows", rows.len());
                    assert!(!sql.starts_with("TRUNC"), "{sql}");
                    empty += 1;
                }
                Answer::Refused(state, message) => match state.as_str() {
                    // Views cannot be truncated or altered so; generated columns cannot be set.
                    "42501" => denied += 1,
                    "55000" | "42809" if r.kind == "v" => denied += 1,
                    "428C9" => denied += 1,
                    _ => panic!("{sql}: {state} {message}"),
                },
            }
        }
    }
    assert!(denied > 1_000 && empty > 0, "{denied} denied, {empty} empty");
}

/// Where an ISP may write a shared row, it may not write another's name on it.
#[tokio::test]
async fn a_tenant_role_writes_rows_in_its_own_name_only() {
    let db = TestDb::new().await;
    let [me, other, _] = &db.tenants[..] else {
        panic!("three tenants")
    };
    let mut admin = db.admin().await;
    seed(&db).await;
    let insertable: Vec<String> = sqlx::query_scalar(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('platform', 'radius', 'public', 'extension') AND c.relkind IN ('r', 'p', 'v')
           AND has_any_column_privilege($1::name, c.oid, 'INSERT') ORDER BY 1",
    )
    .bind(&me.role)
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(
        insertable,
        ["platform.job", "platform.outbox", "radius.account", "radius.nas"]
    );
    let insert = |table: &str, t: i32| match table {
        "platform.job" => format!("INSERT INTO platform.job (tenant_id, kind, payload, run_at) VALUES ({t}, 'x', '{{}}', now())"),
        "platform.outbox" => format!(
            "INSERT INTO platform.outbox (tenant_id, event_id, kind, payload, occurred_at) VALUES ({t}, gen_random_uuid(), 'x', '{{}}', now())"
        ),
        "radius.account" => format!(
            "INSERT INTO radius.account (tenant_id, service_id, username, status, version) VALUES ({t}, gen_random_uuid(), 'x', 'active', 1)"
        ),
        "radius.nas" => {
            format!("INSERT INTO radius.nas (uid, tenant_id, name, secret) VALUES (gen_random_uuid(), {t}, 'x', 'long-enough')")
        }
        table => panic!("{table}: say how a row of it looks"),
    };
    let mut conn = db.inside(me).await;
    for table in &insertable {
        let own = attempt(&mut conn, &insert(table, me.number)).await;
        assert!(matches!(own, Answer::Rows(_)), "{table}: {own:?}");
        assert!(attempt(&mut conn, &insert(table, other.number)).await.denied(), "{table}");
    }
    let nobody = "INSERT INTO platform.job (tenant_id, kind, payload, run_at) VALUES (NULL, 'x', '{}', now())";
    assert!(attempt(&mut conn, nobody).await.denied(), "a job of nobody");
    for sql in [
        format!("UPDATE radius.nas SET tenant_id = {}", other.number),
        format!("UPDATE radius.account SET tenant_id = {}", other.number),
    ] {
        assert!(attempt(&mut conn, &sql).await.denied(), "{sql}");
    }
    // A key of another's row tells nothing and touches nothing.
    let upsert = format!(
        "INSERT INTO radius.account (tenant_id, service_id, username, status, version)
         SELECT {}, service_id, 'x', 'active', 9 FROM radius.account ON CONFLICT (tenant_id, service_id) DO UPDATE SET username = 'taken'",
        other.number
    );
    assert!(attempt(&mut conn, &upsert).await.denied(), "{upsert}");
}

#[tokio::test]
async fn a_tenant_role_makes_no_objects_anywhere() {
    let db = TestDb::new().await;
    let me = &db.tenants[0];
    let mut conn = db.inside(me).await;
    for schema in [
        me.role.as_str(),
        db.tenants[1].role.as_str(),
        "public",
        "platform",
        "radius",
        "extension",
    ] {
        for object in [
            format!("CREATE TABLE {schema}.mine (x int)"),
            format!("CREATE VIEW {schema}.mine AS SELECT 1"),
            format!("CREATE FUNCTION {schema}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
            format!("CREATE TYPE {schema}.mine AS ENUM ('x')"),
        ] {
            assert!(attempt(&mut conn, &object).await.denied(), "{object}");
        }
    }
    for sql in [
        "CREATE TEMPORARY TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE EXTENSION dblink",
        "ALTER ROLE CURRENT_USER LOGIN",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/trunkline-wall'",
        "DROP TABLE subscriber",
        "ALTER TABLE subscriber DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_rows ON radius.nas",
    ] {
        let answer = attempt(&mut conn, sql).await;
        assert!(
            answer.denied() || matches!(&answer, Answer::Refused(s, _) if s == "25001"),
            "{sql}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_tenant_role_does_not_see_what_others_are_running() {
    let db = TestDb::new().await;
    let [me, other, _] = &db.tenants[..] else {
        panic!("three tenants")
    };
    let mut neighbour = db.inside(other).await;
    let Answer::Rows(rows) = attempt(&mut neighbour, "SELECT pg_backend_pid(), 'canary in a statement'").await else {
        panic!("the neighbour's statement")
    };
    let pid: i32 = rows[0].get(0);
    let mut conn = db.inside(me).await;
    let activity = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND query <> '<insufficient privilege>'");
    assert_eq!(counted(&mut conn, &activity).await, Some(0));
    for sql in [
        format!("SELECT pg_terminate_backend({pid})"),
        format!("SELECT pg_cancel_backend({pid})"),
    ] {
        assert!(attempt(&mut conn, &sql).await.denied(), "{sql}");
    }
    // Statistics hold samples of the data.
    let samples = format!(
        "SELECT count(*) FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema', '{}')",
        me.role
    );
    assert_eq!(counted(&mut conn, &samples).await, Some(0));
}
