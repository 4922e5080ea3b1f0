//! A database per test, cloned from a template that is made once per run.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use trunkline_domain::identity;
use trunkline_domain::kernel::crypto::SecretKey;
use trunkline_domain::kernel::db::{Database, DatabaseSettings, Limits, TenantDb, TenantTx};
use trunkline_domain::kernel::{Actor, Clock};
use trunkline_domain::runs::{self, CreateDirector};
use trunkline_domain::tenants::{Directory, OpenTenant, Owner};
use trunkline_migration::{Installation, Options, assign_cell, create_schema, role_password, secure_database};
use uuid::Uuid;

use super::cluster::cluster;

/// The installation's secret key in all databases of the run.
pub const SECRET: &[u8] = b"a secret of the tests: 32 bytes or more";

/// Of everybody who signs in anywhere.
pub const PASSWORD: &str = "correct horse battery staple";

const TEMPLATE: &str = "template_trunkline";

/// An ISP of the template: three of them, so that "another" is never "the only other".
#[derive(Clone, Debug)]
pub struct TestTenant {
    pub number: i32,
    pub slug: String,
    /// Role and schema.
    pub role: String,
}

/// A database of one test. Dropping the value drops it, with the roles that were made in it.
pub struct TestDb {
    pub name: String,
    pub installation: Installation,
    pub tenants: Vec<TestTenant>,
}

impl TestDb {
    /// A clone of the template: migrated, with a platform administrator and the template's ISPs.
    pub async fn new() -> Self {
        Self::new_in("pg_default").await
    }

    /// In a tablespace of the test's own.
    pub async fn new_in(tablespace: &str) -> Self {
        let template = template();
        let number = next_number();
        let name = format!("test_{number}");
        let mut server = connect("postgres").await;
        execute(
            &mut server,
            format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY TABLESPACE {tablespace}"),
        )
        .await;
        let mut admin = connect(&name).await;
        // The template's roles serve all clones; what a clone adds carries its own id, by which it is swept up.
        execute(&mut admin, format!("UPDATE platform.installation SET id = 'x{number}'")).await;
        secure_database(&mut admin).await.expect("database ACLs are not cloned");
        let installation = Installation::load(&mut admin).await.unwrap().expect("a migrated template");
        Self {
            name,
            installation,
            tenants: template.clone(),
        }
    }

    /// An empty database. Whoever migrates it puts its installation here, so that its roles go with it.
    pub async fn unmigrated() -> Self {
        let name = format!("test_{}", next_number());
        execute(&mut connect("postgres").await, format!("CREATE DATABASE {name}")).await;
        let nobody = String::new;
        Self {
            installation: Installation {
                id: name.clone(),
                owner: nobody(),
                tenants: nobody(),
                platform: nobody(),
                radiusd: nobody(),
            },
            name,
            tenants: Vec::new(),
        }
    }

    /// As the superuser.
    pub async fn admin(&self) -> PgConnection {
        connect(&self.name).await
    }

    /// As one of the installation's login roles, with the password that the product derives.
    pub async fn login(&self, role: &str) -> PgConnection {
        let password = role_password(SECRET, role);
        let port = cluster().port();
        PgConnection::connect(&format!("postgres://{role}:{password}@127.0.0.1:{port}/{}", self.name))
            .await
            .unwrap_or_else(|e| panic!("login as {role}: {e}"))
    }

    /// As the login of the first cell.
    pub async fn cell(&self) -> PgConnection {
        let role: String = sqlx::query_scalar("SELECT login_role::text FROM platform.cell WHERE id = 1")
            .fetch_one(&mut self.admin().await)
            .await
            .unwrap();
        self.login(&role).await
    }

    /// A connection that stands where a request's transaction stands after its prologue.
    pub async fn inside(&self, tenant: &TestTenant) -> PgConnection {
        let mut conn = self.cell().await;
        let role = &tenant.role;
        execute(
            &mut conn,
            format!("BEGIN; SET LOCAL search_path = \"{role}\"; SET LOCAL ROLE \"{role}\""),
        )
        .await;
        conn
    }
}

fn next_number() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

impl Drop for TestDb {
    fn drop(&mut self) {
        static JANITOR: OnceLock<Sender<(String, String)>> = OnceLock::new();
        let janitor = JANITOR.get_or_init(|| {
            let (send, receive) = channel::<(String, String)>();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut server = connect("postgres").await;
                    for (database, installation) in receive {
                        execute(&mut server, format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await;
                        drop_roles(&mut server, &installation).await;
                    }
                });
            });
            send
        });
        let _ = janitor.send((std::mem::take(&mut self.name), self.installation.id.clone()));
    }
}

async fn drop_roles(server: &mut PgConnection, installation: &str) {
    let roles: Vec<String> = sqlx::query_scalar("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'tl\\_' || $1 || '\\_%'")
        .bind(installation)
        .fetch_all(&mut *server)
        .await
        .unwrap();
    if !roles.is_empty() {
        execute(server, format!("DROP ROLE {}", roles.join(", "))).await;
    }
}

/// Makes the template at its first use, on a thread with a runtime of its own: a test's runtime ends with the test.
fn template() -> &'static Vec<TestTenant> {
    static TENANTS: OnceLock<Option<Vec<TestTenant>>> = OnceLock::new();
    let tenants = TENANTS.get_or_init(|| {
        let made = std::thread::spawn(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap()
                .block_on(make_template())
        });
        made.join().ok()
    });
    tenants
        .as_ref()
        .expect("the template database could not be made; see the first failure")
}

/// Migrates a fresh database and opens the ISPs by the product's own use cases.
async fn make_template() -> Vec<TestTenant> {
    let mut server = connect("postgres").await;
    execute(&mut server, format!("CREATE DATABASE {TEMPLATE}")).await;
    let admin = cluster().admin_url(TEMPLATE).parse().unwrap();
    trunkline_migration::run(&Options::new(admin, secret_key()))
        .await
        .expect("migrate");

    let clock = Clock::system();
    clock.set("2026-03-01T06:00:00Z".parse().unwrap());
    let database = Database::open(settings_for(TEMPLATE), clock).await.expect("open");
    identity::ensure_first_admin(&database, "admin@platform.example", PASSWORD)
        .await
        .expect("administrator");
    let system = Arc::new(Actor::System);
    let director = CreateDirector {
        name: "Meridian Holdings".into(),
        account: identity::NewAccount {
            name: "Dana Director".into(),
            email: "director@meridian.example".into(),
            password: PASSWORD.into(),
        },
    };
    let director = runs::director_create(&database, &system, director).await.expect("director");
    let directory = Directory::new(database.clone(), "localhost");
    let mut tenants = Vec::new();
    for (slug, name, template, director_id) in [
        ("asha", "Asha Fibre", "in-broadband", None),
        ("baraka", "Baraka Hotspots", "ke-hotspot", None),
        ("chandra", "Chandra Networks", "in-broadband", Some(director.id)),
    ] {
        let open = OpenTenant {
            slug: slug.into(),
            name: name.into(),
            template: template.into(),
            currency: None,
            timezone: None,
            director_id,
            owner: Owner {
                name: format!("Owner of {name}"),
                email: format!("owner@{slug}.example"),
                password: PASSWORD.into(),
            },
            idempotency_key: None,
        };
        runs::tenant_create(&database, &system, open).await.expect("tenant");
        let tenant = directory.by_slug(slug).await.unwrap().expect("the ISP that was opened");
        let inside = TenantDb::new(database.clone(), tenant.clone(), system.clone());
        inside.write(async |tx| hire(tx, slug).await).await.expect("staff");
        tenants.push(TestTenant {
            number: tenant.number(),
            slug: slug.to_owned(),
            role: tenant.role().to_owned(),
        });
    }
    database.close().await;
    tenants
}

/// A member of staff per role, `<role>@<slug>.example`, and `nothing@…`, who may do nothing.
async fn hire(tx: &TenantTx, slug: &'static str) -> trunkline_domain::Result<()> {
    tx.sql("INSERT INTO role (code, name, permissions) VALUES ('nothing', 'No permission', '{}')")
        .run()
        .await?;
    let roles: Vec<String> = tx
        .sql("SELECT code FROM role WHERE code <> 'owner' ORDER BY code")
        .scalars()
        .await?;
    for role in roles {
        let cmd = identity::CreateStaff {
            name: format!("{role} of {slug}"),
            email: format!("{role}@{slug}.example"),
            password: PASSWORD.into(),
            role,
        };
        identity::staff_create(tx, cmd).await?;
    }
    Ok(())
}

/// Opens an ISP without template rows and owner: enough for what is tested below the product's use cases.
pub async fn open_bare_tenant(admin: &mut PgConnection, slug: &str) -> TestTenant {
    let mut tx = admin.begin().await.unwrap();
    let installation = Installation::load(&mut tx).await.unwrap().unwrap();
    let cell = assign_cell(&mut tx, &installation, &secret_key()).await.unwrap();
    let number: i32 = sqlx::query_scalar(
        "INSERT INTO platform.tenant (uid, slug, name, country, currency, timezone, template, status, cell_id, role_name, schema_version, created_at)
         VALUES ($1, $2, $2, 'IN', 'INR', 'Asia/Kolkata', 'in-broadband', 'ACTIVE', $3, $2, 1, now()) RETURNING id",
    )
    .bind(Uuid::now_v7())
    .bind(slug)
    .bind(cell)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let schema = create_schema(&mut tx, &installation, number, cell).await.expect("schema");
    sqlx::query("UPDATE platform.tenant SET role_name = $2::name WHERE id = $1")
        .bind(number)
        .bind(&schema.role)
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query("INSERT INTO radius.tenant (tenant_id, timezone, status) VALUES ($1, 'Asia/Kolkata', 'active')")
        .bind(number)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    TestTenant {
        number,
        slug: slug.to_owned(),
        role: schema.role,
    }
}

pub fn secret_key() -> SecretKey {
    SecretKey::new(SECRET).expect("long enough")
}

/// How the product reaches a test's database.
pub fn settings(db: &TestDb) -> DatabaseSettings {
    settings_for(&db.name)
}

fn settings_for(database: &str) -> DatabaseSettings {
    let url = cluster().admin_url(database);
    DatabaseSettings {
        url: url.clone(),
        admin_url: url.clone(),
        listen_url: url,
        max_connections: 4,
        secret: secret_key(),
        limits: Limits::default(),
        cancellation_guard: true,
    }
}

pub async fn connect(database: &str) -> PgConnection {
    PgConnection::connect(&cluster().admin_url(database))
        .await
        .unwrap_or_else(|e| panic!("connect to {database}: {e}"))
}

/// A script of the tests' own, as simple-protocol text.
pub async fn execute(conn: &mut PgConnection, script: String) {
    if let Err(e) = conn.execute(AssertSqlSafe(script.clone())).await {
        panic!("{e}\n{script}");
    }
}
