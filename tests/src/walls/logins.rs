//! The login roles by themselves: without the prologue there is nothing, and FreeRADIUS has four functions.

use sqlx::{Executor, PgConnection};

use super::catalogue::{Answer, attempt, counted, functions};
use super::seed::seed;
use crate::harness::{TestDb, execute};

#[tokio::test]
async fn the_cell_login_reaches_nothing_without_the_prologue() {
    let db = TestDb::new().await;
    let mut cell = db.cell().await;
    reaches_no_relation(&db, &mut cell).await;
    let callable = executable(&db, &mut cell).await;
    assert!(callable.is_empty(), "{callable:?}");
    for sql in [
        "SELECT set_config('role', 'x', true)",
        "CREATE TEMPORARY TABLE mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "CREATE SCHEMA mine",
    ] {
        assert!(attempt(&mut cell, sql).await.denied(), "{sql}");
    }
}

#[tokio::test]
async fn the_cell_login_may_become_a_tenant_and_nobody_of_weight() {
    let db = TestDb::new().await;
    let relations = seed(&db).await;
    let mut cell = db.cell().await;
    cell.execute("BEGIN").await.unwrap();
    let it = &db.installation;
    for role in ["postgres", &it.owner, &it.platform, &it.radiusd] {
        assert!(
            attempt(&mut cell, &format!("SET LOCAL ROLE \"{role}\"")).await.denied(),
            "{role}"
        );
    }
    // The group of all tenants can be entered, being a tenant's group; it is no tenant, so no row is its own.
    execute(&mut cell, format!("SET LOCAL ROLE \"{}\"", it.tenants)).await;
    for r in relations.iter().filter(|r| r.kind != "S") {
        let seen = counted(&mut cell, &format!("SELECT count(*) FROM {}", r.path())).await;
        assert!(
            matches!(seen, None | Some(0)),
            "the group of tenants sees {seen:?} rows in {}",
            r.path()
        );
    }
}

#[tokio::test]
async fn freeradius_has_four_functions_and_reads_no_table() {
    let db = TestDb::new().await;
    let mut radiusd = db.login(&db.installation.radiusd).await;
    reaches_no_relation(&db, &mut radiusd).await;
    let callable = executable(&db, &mut radiusd).await;
    let names: Vec<&str> = callable.iter().map(|f| f.split('(').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "platform.now",
            "radius.accounting",
            "radius.authorize",
            "radius.client",
            "radius.post_auth"
        ]
    );
}

#[tokio::test]
async fn the_platform_login_has_no_way_into_an_isp() {
    let db = TestDb::new().await;
    let relations = seed(&db).await;
    let mut platform = db.login(&db.installation.platform).await;
    platform.execute("BEGIN").await.unwrap();
    for r in relations.iter().filter(|r| r.schema.starts_with("tl_")) {
        assert!(
            attempt(&mut platform, &format!("SELECT count(*) FROM {}", r.path()))
                .await
                .denied(),
            "{}",
            r.path()
        );
    }
    for tenant in &db.tenants {
        let sql = format!("SET LOCAL ROLE \"{}\"", tenant.role);
        assert!(attempt(&mut platform, &sql).await.denied(), "{sql}");
    }
    for sql in [
        "SELECT secret FROM radius.nas",
        "SELECT password FROM radius.account",
        "UPDATE platform.audit_entry SET action = 'x'",
        "DELETE FROM platform.audit_entry",
        "UPDATE platform.tenant_role SET tenant_id = 1",
        "SELECT set_config('role', 'postgres', true)",
    ] {
        assert!(attempt(&mut platform, sql).await.denied(), "{sql}");
    }
}

async fn reaches_no_relation(db: &TestDb, conn: &mut PgConnection) {
    let relations = seed(db).await;
    execute(conn, "BEGIN".into()).await;
    for r in &relations {
        let path = r.path();
        let column = &r.columns[0];
        let mut tries = vec![
            format!("SELECT count(*) FROM {path}"),
            format!("SELECT \"{column}\" FROM {path}"),
        ];
        if r.is_table() {
            tries.push(format!("INSERT INTO {path} DEFAULT VALUES"));
            tries.push(format!("DELETE FROM {path}"));
            tries.push(format!("TRUNCATE {path}"));
        }
        for sql in tries {
            let answer = attempt(conn, &sql).await;
            assert!(answer.denied(), "{sql}: {answer:?}");
        }
    }
}

/// The product's functions that the connection's role may execute, schema included.
async fn executable(db: &TestDb, conn: &mut PgConnection) -> Vec<String> {
    let all = functions(&mut db.admin().await, "true").await;
    assert!(all.len() > 10, "{all:?}");
    let mut out = Vec::new();
    for f in all {
        let sql = format!(
            "SELECT has_schema_privilege('{0}', 'USAGE') AND has_function_privilege('{1}', 'EXECUTE')",
            schema(&f),
            f.replace('\'', "''")
        );
        // Looking a function up in a schema that one may not use is refused as well.
        if let Answer::Rows(rows) = attempt(conn, &sql).await {
            use sqlx::Row;
            if rows[0].get::<bool, _>(0) {
                out.push(f);
            }
        }
    }
    out
}

fn schema(function: &str) -> &str {
    function.split('.').next().unwrap()
}
