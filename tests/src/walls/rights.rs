//! Rights as the catalogue holds them.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row};

use super::catalogue::{Answer, attempt, functions, relations};
use crate::harness::TestDb;

/// What each ISP may do with its own tables. A new table shows up here and is looked at.
#[tokio::test]
async fn rights_in_the_own_schema() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let mut of_all = Vec::new();
    for tenant in &db.tenants {
        let rows = sqlx::query(
            "SELECT c.relname::text, c.relkind::text,
                    array_to_string(ARRAY(SELECT p FROM unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']) p
                                          WHERE CASE c.relkind WHEN 'S' THEN p IN ('SELECT', 'UPDATE') AND has_sequence_privilege($1::name, c.oid, p)
                                                     ELSE has_table_privilege($1::name, c.oid, p) END), ' ')
             FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') ORDER BY 1",
        )
        .bind(&tenant.role)
        .fetch_all(&mut admin)
        .await
        .unwrap();
        let text: String = rows
            .iter()
            .map(|r| format!("{:28} {}\n", r.get::<String, _>(0), r.get::<String, _>(2)))
            .collect();
        of_all.push(text);
    }
    insta::assert_snapshot!(of_all[0]);
    assert_eq!(of_all[0], of_all[1]);
    assert_eq!(of_all[0], of_all[2]);
}

#[tokio::test]
async fn what_was_written_down_stays() {
    let db = TestDb::new().await;
    let mut conn = db.inside(&db.tenants[0]).await;
    let append_only = [
        "audit_entry",
        "credit_note",
        "credit_note_line",
        "credit_note_party",
        "credit_note_tax",
        "credit_transfer",
        "deposit_return",
        "handled_event",
        "invoice_line",
        "invoice_tax",
        "ledger_close",
        "ledger_entry",
        "ledger_transfer",
        "opening_balance",
        "plan_version",
        "refund",
        "seller",
        "tax_rule_set",
        "withholding",
        "write_off",
    ];
    for table in append_only {
        let Answer::Rows(rows) = attempt(
            &mut conn,
            &format!("SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0"),
        )
        .await
        else {
            panic!("the columns of {table}")
        };
        assert!(rows.len() > 2, "{table}");
        for row in rows {
            let column: String = row.get(0);
            let sql = format!("UPDATE {table} SET {column} = {column}");
            assert!(attempt(&mut conn, &sql).await.denied(), "{sql}");
        }
        for sql in [format!("DELETE FROM {table}"), format!("TRUNCATE {table}")] {
            assert!(attempt(&mut conn, &sql).await.denied(), "{sql}");
        }
    }
}

#[tokio::test]
async fn functions_with_their_owners_rights_have_a_fixed_path() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let definers = functions(&mut admin, "p.prosecdef").await;
    assert!(definers.len() >= 6, "{definers:?}");
    let loose = functions(
        &mut admin,
        "p.prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)",
    )
    .await;
    assert!(loose.is_empty(), "SECURITY DEFINER without a fixed search_path: {loose:?}");
    let elsewhere: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef AND n.nspname NOT IN ('platform', 'radius')",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(elsewhere, 0, "SECURITY DEFINER outside platform and radius");
}

#[tokio::test]
async fn no_function_of_ours_is_everybodys() {
    let db = TestDb::new().await;
    let public = functions(
        &mut db.admin().await,
        "EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')",
    )
    .await;
    assert!(public.is_empty(), "executable by PUBLIC: {public:?}");
}

#[tokio::test]
async fn nothing_else_is_everybodys_either() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let open = names(
        &mut admin,
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
         WHERE a.grantee = 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')
         UNION ALL
         SELECT 'schema ' || n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a
         WHERE a.grantee = 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')
         UNION ALL
         SELECT 'database: ' || a.privilege_type FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
         WHERE d.datname = current_database() AND a.grantee = 0 AND a.privilege_type <> 'CONNECT'",
    )
    .await;
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn every_shared_table_of_radius_has_row_level_security() {
    let db = TestDb::new().await;
    let all = relations(&mut db.admin().await).await;
    let partitions = all.iter().filter(|r| r.schema == "radius" && r.partition).count();
    assert!(partitions >= 40, "{partitions} partitions");
    for r in all.iter().filter(|r| r.is_table()) {
        if r.schema == "radius" || (r.schema == "platform" && ["outbox", "job"].contains(&r.name.as_str())) {
            assert!(r.row_security, "{}", r.path());
        }
    }
    let views = names(
        &mut db.admin().await,
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
           AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)",
    )
    .await;
    assert!(views.is_empty(), "views with their owner's rights: {views:?}");
}

/// Then the same code runs on a sharded database, and no connection's cached plan meets another type.
#[tokio::test]
async fn tenant_schemas_hold_tables_alike_and_nothing_that_leaves_them() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let odd = names(
        &mut admin,
        "SELECT 'type ' || t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
         WHERE n.nspname LIKE 'tl\\_%' AND t.typtype <> 'b' AND coalesce(c.relkind, 'c') = 'c'
         UNION ALL
         SELECT 'trigger ' || g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname LIKE 'tl\\_%' AND NOT g.tgisinternal
         UNION ALL
         SELECT 'function ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname LIKE 'tl\\_%'
         UNION ALL
         SELECT 'key ' || k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname LIKE 'tl\\_%' AND f.relnamespace <> c.relnamespace",
    )
    .await;
    assert!(odd.is_empty(), "{odd:?}");
    let mut shapes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let rows = sqlx::query(
        "SELECT n.nspname::text, c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname LIKE 'tl\\_%' AND a.attnum > 0 AND c.relkind = 'r' ORDER BY 1, 2, a.attnum",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    for row in rows {
        shapes.entry(row.get(0)).or_default().push(row.get(1));
    }
    let mut shapes = shapes.into_values();
    let first = shapes.next().unwrap();
    assert!(first.len() > 100);
    assert!(shapes.all(|s| s == first));
}

async fn names(admin: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(admin).await.unwrap()
}
