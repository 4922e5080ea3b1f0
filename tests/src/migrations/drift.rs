//! What a schema is, compared with what its steps make.

use trunkline_migration::{Fingerprint, Installation, Options, run, status};

use super::steps::{NEXT, RETYPED, options};
use crate::harness::{TestDb, cluster, execute, open_bare_tenant, secret_key};

#[tokio::test]
async fn what_an_operator_did_is_named() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let opts = options(&db, &[]);
    assert!(status(&opts).await.unwrap().is_clean(), "{:#?}", status(&opts).await.unwrap());
    let (asha, baraka, owner) = (&db.tenants[0].role, &db.tenants[1].role, &db.installation.owner);
    execute(
        &mut admin,
        format!(
            "CREATE INDEX by_hand ON {asha}.plan (name); ALTER TABLE {asha}.subscriber DROP COLUMN tax_id;
             ALTER TABLE {asha}.plan ALTER COLUMN name SET DEFAULT 'x'; GRANT UPDATE ON {asha}.audit_entry TO {asha};
             GRANT {owner} TO {asha};
             CREATE FUNCTION {baraka}.f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
             ALTER TABLE platform.outbox DISABLE ROW LEVEL SECURITY; DROP INDEX platform.tenant_director;
             GRANT SELECT ON radius.nas TO PUBLIC"
        ),
    )
    .await;
    let seen = status(&opts).await.unwrap();
    execute(&mut admin, format!("REVOKE {owner} FROM {asha}")).await;
    let shown: Vec<String> = seen
        .drifted
        .iter()
        .flat_map(|(schema, all)| all.iter().map(move |d| format!("{schema}: {d}")))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

/// In one go, step by step, and in the order in which steps happened to land on a database of development.
#[tokio::test]
async fn a_schema_made_in_one_go_is_the_one_made_step_by_step() {
    let db = TestDb::new().await;
    let mut admin = db.admin().await;
    let all = options(&db, &[NEXT, RETYPED]);
    let in_one_go = Fingerprint::of_tenant_steps(&mut admin, &db.installation, &all.plan.tenant)
        .await
        .unwrap();
    let versions = all.plan.tenant.len();
    let in_order: Vec<usize> = (1..=versions).collect();
    // The first step makes the ground; after it the last comes first.
    let out_of_order: Vec<usize> = std::iter::once(1).chain((2..=versions).rev()).collect();
    for order in [in_order, out_of_order] {
        let tenant = open_bare_tenant(&mut admin, &format!("isp-{}", order[1])).await;
        let (role, number) = (&tenant.role, tenant.number);
        execute(
            &mut admin,
            format!(
                "DROP SCHEMA {role} CASCADE; CREATE SCHEMA {role}; GRANT USAGE ON SCHEMA {role} TO {role};
                 DELETE FROM platform.tenant_migration WHERE tenant_id = {number}"
            ),
        )
        .await;
        let mut opts = options(&db, &[]);
        opts.plan.tenant.clear();
        for n in order {
            opts.plan.tenant.push(all.plan.tenant[n - 1]);
            assert_eq!(run(&opts).await.unwrap().failed, [], "step {n}");
        }
        let step_by_step = Fingerprint::of(&mut admin, &db.installation, role).await.unwrap();
        assert_eq!(step_by_step.differences(&in_one_go), []);
    }
}

#[tokio::test]
async fn so_are_platform_and_radius() {
    let (mut one, mut steps) = (TestDb::unmigrated().await, TestDb::unmigrated().await);
    let options = |db: &TestDb| Options::new(cluster().admin_url(&db.name).parse().unwrap(), secret_key());
    run(&options(&one)).await.unwrap();
    let mut opts = options(&steps);
    let whole = std::mem::take(&mut opts.plan);
    opts.plan.platform.clear();
    opts.plan.radius.clear();
    opts.plan.tenant.clear();
    let mut runs = 0;
    for step in whole.platform {
        opts.plan.platform.push(step);
        runs += run(&opts).await.unwrap().shared_steps;
    }
    for step in whole.radius {
        opts.plan.radius.push(step);
        runs += run(&opts).await.unwrap().shared_steps;
    }
    assert_eq!(runs, trunkline_migration::shared_steps().count());
    for schema in ["platform", "radius"] {
        let (a, b) = (of(&mut one, schema).await, of(&mut steps, schema).await);
        assert_eq!(b.differences(&a), [], "{schema}");
        assert_ne!(a, Fingerprint::default());
    }
}

async fn of(db: &mut TestDb, schema: &str) -> Fingerprint {
    let mut admin = db.admin().await;
    db.installation = Installation::load(&mut admin).await.unwrap().unwrap();
    Fingerprint::of(&mut admin, &db.installation, schema).await.unwrap()
}
