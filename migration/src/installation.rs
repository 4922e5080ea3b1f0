use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::{Error, Result};

/// One Trunkline in one database. Role names are cluster-wide, so they carry the installation's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub id: String,
    /// Owns `platform` and `radius`; cannot log in.
    pub owner: String,
    /// Group of all tenant roles: what every tenant may do in the shared schemas.
    pub tenants: String,
    /// Login of the pool that serves the platform host and the worker's claims.
    pub platform: String,
    /// Login of FreeRADIUS: four functions and nothing else.
    pub radiusd: String,
}

/// What stands before the first step: who we are, and which steps have been applied.
pub(crate) const FOUNDATION: &str = "
    CREATE TABLE platform.installation (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), id text NOT NULL,
        owner_role name NOT NULL, tenants_role name NOT NULL, platform_role name NOT NULL, radiusd_role name NOT NULL);
    CREATE TABLE platform.migration (scope text NOT NULL, version integer NOT NULL, name text NOT NULL,
        checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (scope, version));
    CREATE TABLE platform.tenant_migration (tenant_id integer NOT NULL, version integer NOT NULL, checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (tenant_id, version));
    ALTER TABLE platform.installation OWNER TO {{owner}}; ALTER TABLE platform.migration OWNER TO {{owner}};
    ALTER TABLE platform.tenant_migration OWNER TO {{owner}};
    GRANT USAGE ON SCHEMA platform TO {{platform}};
    GRANT SELECT ON platform.installation, platform.migration, platform.tenant_migration TO {{platform}};";

impl Installation {
    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            owner: format!("tl_{id}_owner"),
            tenants: format!("tl_{id}_tenants"),
            platform: format!("tl_{id}_platform"),
            radiusd: format!("tl_{id}_radiusd"),
        }
    }

    /// The installation of this database, if it has been migrated.
    pub async fn load(conn: &mut PgConnection) -> Result<Option<Self>> {
        let known: Option<String> = sqlx::query_scalar("SELECT to_regclass('platform.installation')::text")
            .fetch_one(&mut *conn)
            .await?;
        if known.is_none() {
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT id, owner_role::text, tenants_role::text, platform_role::text, radiusd_role::text FROM platform.installation",
        )
        .fetch_optional(conn)
        .await?;
        row.map(|r| {
            Ok(Self {
                id: r.try_get(0)?,
                owner: r.try_get(1)?,
                tenants: r.try_get(2)?,
                platform: r.try_get(3)?,
                radiusd: r.try_get(4)?,
            })
        })
        .transpose()
    }

    /// Fills the role names into a script.
    pub(crate) fn render(&self, sql: &str) -> String {
        sql.replace("{{owner}}", &self.owner)
            .replace("{{tenants}}", &self.tenants)
            .replace("{{platform}}", &self.platform)
            .replace("{{radiusd}}", &self.radiusd)
    }

    pub(crate) fn cell_role(&self, number: i32) -> String {
        format!("tl_{}_cell_{number}", self.id)
    }

    /// The name of a tenant's role and schema.
    pub fn tenant_role(&self, tenant: i32) -> String {
        format!("tl_{}_t{tenant}", self.id)
    }

    /// Loads the installation or founds it: roles, schemas, and what PostgreSQL gives to everybody taken away.
    pub(crate) async fn found(conn: &mut PgConnection) -> Result<Self> {
        if let Some(known) = Self::load(conn).await? {
            return Ok(known);
        }
        let id: String =
            sqlx::query_scalar("SELECT translate(substr(gen_random_uuid()::text, 1, 6), '0123456789', 'ghijkmnpqr')")
                .fetch_one(&mut *conn)
                .await?;
        let it = Self::named(&id);
        let mut tx = conn.begin().await?;
        tx.execute(AssertSqlSafe(format!(
            "CREATE ROLE {owner} NOLOGIN; CREATE ROLE {tenants} NOLOGIN;
             CREATE ROLE {platform} LOGIN NOINHERIT; CREATE ROLE {radiusd} LOGIN NOINHERIT CONNECTION LIMIT 64;
             CREATE SCHEMA platform AUTHORIZATION {owner}; CREATE SCHEMA radius AUTHORIZATION {owner};
             CREATE SCHEMA extension; CREATE EXTENSION btree_gist SCHEMA extension;
             REVOKE ALL ON SCHEMA public FROM PUBLIC;
             REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
             {foundation}
             INSERT INTO platform.installation VALUES (true, '{id}', '{owner}', '{tenants}', '{platform}', '{radiusd}');",
            foundation = it.render(FOUNDATION),
            owner = it.owner,
            tenants = it.tenants,
            platform = it.platform,
            radiusd = it.radiusd,
        )))
        .await?;
        secure_database(&mut tx).await?;
        tx.commit().await?;
        Ok(it)
    }
}

/// The first password of a login role that Trunkline makes. What holds now is on record in `platform.login`.
pub fn role_password(secret: &[u8], role: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any key length");
    mac.update(b"database role ");
    mac.update(role.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Takes from PUBLIC what a fresh (or cloned) database gives to every role. Needs the database's owner.
pub async fn secure_database(conn: &mut PgConnection) -> Result<()> {
    let db: String = sqlx::query_scalar("SELECT quote_ident(current_database())")
        .fetch_one(&mut *conn)
        .await?;
    conn.execute(AssertSqlSafe(format!(
        "REVOKE TEMPORARY, CREATE ON DATABASE {db} FROM PUBLIC"
    )))
    .await?;
    let open: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         WHERE p.oid = 'pg_catalog.set_config(text,text,boolean)'::regprocedure AND a.grantee = 0)",
    )
    .fetch_one(conn)
    .await?;
    if open {
        return Err(Error::Refused(
            "every role may still execute pg_catalog.set_config: run `REVOKE EXECUTE ON FUNCTION \
             pg_catalog.set_config(text,text,boolean) FROM PUBLIC` as a superuser in this database"
                .into(),
        ));
    }
    Ok(())
}
