//! An expression that somebody smuggled into a statement of an ISP's transaction: it reaches nothing.

use std::sync::Arc;

use sea_orm::ConnectionTrait;
use sqlx::{Executor, PgConnection, Row};
use trunkline_domain::kernel::Actor;
use trunkline_domain::kernel::db::TenantDb;

use super::catalogue::{Answer, attempt};
use super::seed::{canary, seed};
use crate::harness::{TestApp, TestDb, TestTenant};

/// Expressions that would be evaluated within a statement. `{other}` is another ISP's role and schema.
const EXPRESSIONS: &[&str] = &[
    "set_config('role', '{other}', true)",
    "set_config('role', '{other}', false)",
    "pg_catalog.set_config('search_path', '{other}', true)",
    "set_config('session_authorization', '{other}', true)",
    "(SELECT set_config('role', s.nspname, true) FROM pg_namespace s WHERE nspname = '{other}')",
    "(SELECT count(*) FROM ts_stat($$SELECT to_tsvector(set_config('role', '{other}', true))$$))",
    "(SELECT count(*) FROM ts_stat($$SELECT to_tsvector(name) FROM {other}.subscriber$$))",
    "ts_rewrite('a'::tsquery, $$SELECT 'a'::tsquery, set_config('role', '{other}', true)::tsquery$$)",
    "query_to_xml('SET ROLE {other}', true, true, '')",
    "query_to_xml('SELECT set_config(''role'', ''{other}'', true)', true, true, '')",
    "query_to_xml('RESET ROLE', true, true, '')",
    "query_to_xml('SELECT * FROM {other}.subscriber', true, true, '')",
    "query_to_xmlschema('SELECT * FROM {other}.subscriber', true, true, '')",
    "query_to_xml_and_xmlschema('SELECT * FROM {other}.subscriber', true, true, '')",
    "query_to_xml('DELETE FROM radius.nas RETURNING secret', true, true, '')",
    "table_to_xml('{other}.subscriber'::regclass, true, true, '')",
    "schema_to_xml('{other}', true, true, '')",
    "database_to_xml(true, true, '')",
    "(SELECT count(*) FROM {other}.subscriber)",
    "(SELECT count(*) FROM crosstab('SELECT 1'))",
    "(SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS d(x int))",
    "pg_read_file('/etc/passwd')",
    "pg_read_binary_file('postgresql.conf')",
    "pg_ls_dir('.')",
    "lo_import('/etc/passwd')",
    "lo_export(1, '/tmp/trunkline-wall')",
    "pg_reload_conf()",
    "pg_rotate_logfile()",
    "pg_create_logical_replication_slot('x', 'test_decoding')",
    "pg_logical_emit_message(true, 'x', 'y')",
    "pg_stat_reset()",
    "nextval('{other}.subscriber_account_number')",
    "currval('{other}.subscriber_account_number')",
    "setval('{other}.subscriber_account_number', 1)",
    "radius.authorize(1, 'x', 'y')",
    "radius.client('10.9.8.2')",
    "radius.ensure_partitions(current_date, 1)",
    "plpgsql_call_handler()",
    "pg_backup_start('x')",
    "txid_current()",
    "pg_export_snapshot()",
    "current_setting('role')",
];

/// Statements of their own, as somebody would append them.
const STATEMENTS: &[&str] = &[
    "SET ROLE {other}",
    "SET LOCAL ROLE {other}",
    "RESET ROLE",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SET search_path = {other}",
    "COMMIT",
    "DO $$BEGIN EXECUTE 'SET LOCAL ROLE {other}'; END$$",
    "SELECT name FROM {other}.subscriber",
];

#[tokio::test]
async fn an_injected_expression_reaches_nothing() {
    let db = TestDb::new().await;
    let [me, other, _] = &db.tenants[..] else {
        panic!("three tenants")
    };
    seed(&db).await;
    let mut conn = db.inside(me).await;
    let contexts = [
        "SELECT ({e})::text",
        "SELECT count(*)::text FROM subscriber WHERE ({e})::text <> ''",
        "SELECT name FROM subscriber ORDER BY ({e})::text",
        "UPDATE subscriber SET name = ({e})::text RETURNING name",
        "INSERT INTO role (code, name, permissions) SELECT 'x', ({e})::text, '{}' RETURNING name",
    ];
    let mut refused = 0;
    for expression in EXPRESSIONS {
        for context in contexts {
            let sql = context.replace("{e}", &expression.replace("{other}", &other.role));
            // Not `attempt`: a role that the expression set would be taken back with the savepoint.
            conn.execute("SAVEPOINT attempt").await.unwrap();
            let outcome = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .persistent(false)
                .fetch_all(&mut conn)
                .await;
            match outcome {
                Ok(rows) => {
                    for row in rows {
                        let text: Option<String> = row.get(0);
                        assert!(!text.unwrap_or_default().contains(&canary(other)), "{sql}");
                    }
                    still_inside(&mut conn, me, &sql).await;
                    conn.execute("ROLLBACK TO attempt").await.unwrap();
                }
                Err(sqlx::Error::Database(_)) => {
                    refused += 1;
                    conn.execute("ROLLBACK TO attempt").await.unwrap();
                    still_inside(&mut conn, me, &sql).await;
                }
                Err(e) => panic!("{sql}: {e}"),
            }
        }
    }
    assert!(
        refused > EXPRESSIONS.len() * contexts.len() / 2,
        "only {refused} were refused"
    );
}

#[tokio::test]
async fn set_config_is_nobodys() {
    let db = TestDb::new().await;
    let [me, other, _] = &db.tenants[..] else {
        panic!("three tenants")
    };
    let mut conn = db.inside(me).await;
    for sql in [
        format!("SELECT set_config('role', '{}', true)", other.role),
        format!(
            "SELECT * FROM ts_stat($$SELECT to_tsvector(set_config('role', '{}', true))$$)",
            other.role
        ),
        format!("UPDATE pg_settings SET setting = '{}' WHERE name = 'role'", other.role),
        format!("UPDATE pg_settings SET setting = '{}' WHERE name = 'search_path'", other.role),
    ] {
        let answer = attempt(&mut conn, &sql).await;
        assert!(answer.denied(), "{sql}: {answer:?}");
    }
}

/// The extended protocol, which is all that is spoken after the prologue, carries one statement.
#[tokio::test]
async fn a_second_statement_is_not_carried() {
    let db = TestDb::new().await;
    let [me, other, _] = &db.tenants[..] else {
        panic!("three tenants")
    };
    let mut conn = db.inside(me).await;
    for statement in STATEMENTS {
        let sql = format!("SELECT 1; {}", statement.replace("{other}", &other.role));
        let answer = attempt(&mut conn, &sql).await;
        assert!(
            matches!(&answer, Answer::Refused(state, _) if state == "42601"),
            "{sql}: {answer:?}"
        );
        still_inside(&mut conn, me, &sql).await;
    }
}

/// The same through the product's own transaction, which offers no way to speak otherwise.
#[tokio::test]
async fn the_products_transaction_carries_one_prepared_statement() {
    let app = TestApp::new().await;
    let [me, other, _] = &app.db.tenants[..] else {
        panic!("three tenants")
    };
    let tenant = app.app.directory.by_slug(&me.slug).await.unwrap().unwrap();
    let db = TenantDb::new(app.app.database.clone(), tenant, Arc::new(Actor::System));
    for statement in STATEMENTS {
        let text: &'static str = format!("SELECT 1; {}", statement.replace("{other}", &other.role)).leak();
        let tx = db.begin(false).await.unwrap();
        let refused = tx.sql(text).run().await.unwrap_err();
        assert_eq!(refused.sqlstate(), Some("42601"), "{text}: {refused:?}");
        let tx = db.begin(false).await.unwrap();
        let unprepared = tx.execute_unprepared(text).await;
        assert!(unprepared.is_err(), "{text}");
        let role: Option<String> = tx.sql("SELECT current_user::text").scalar().await.unwrap();
        assert_eq!(role.as_deref(), Some(me.role.as_str()));
    }
}

/// Role, path and transaction are those of the prologue, and the neighbour's door is closed.
async fn still_inside(conn: &mut PgConnection, me: &TestTenant, after: &str) {
    let row = sqlx::query("SELECT current_user::text, current_setting('search_path'), current_setting('role')")
        .fetch_one(&mut *conn)
        .await
        .unwrap_or_else(|e| panic!("after {after}: {e}"));
    let quoted = [me.role.clone(), format!("\"{}\"", me.role)];
    assert_eq!(row.get::<String, _>(0), me.role, "after {after}");
    assert!(quoted.contains(&row.get::<String, _>(1)), "after {after}");
    assert_eq!(row.get::<String, _>(2), me.role, "after {after}");
}
