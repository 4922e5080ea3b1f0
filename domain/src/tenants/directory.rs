use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::kernel::actor::Actor;
use crate::kernel::db::{Database, PlatformTx, Tenant, TenantRecord};
use crate::kernel::error::Result;
use crate::kernel::ids::TenantId;

/// For how long a change may go unnoticed if its notification is lost.
const MEMORY: Duration = Duration::from_secs(8);
const REMEMBERED: u64 = 20_000;
const CHANNEL: &str = "trunkline_tenant";
const PLATFORM_LABEL: &str = "platform";

/// Whose host was asked.
#[derive(Clone, Debug)]
pub enum Site {
    Platform,
    Tenant(Tenant),
}

impl Site {
    /// Tells sites apart in what this process remembers: the ISP's number, 0 for the platform.
    pub fn number(&self) -> i32 {
        match self {
            Self::Platform => 0,
            Self::Tenant(tenant) => tenant.number(),
        }
    }
}

/// Finds an ISP by its host, number or id. One for the process; cheap to clone. It remembers answers, also that there is no
/// such ISP, for some seconds and until it hears of a change.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    database: Database,
    base_domain: String,
    known: Cache<Key, Option<Tenant>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Slug(String),
    Hostname(String),
    Number(i32),
    Id(TenantId),
}

macro_rules! select_record {
    ($tail:literal) => {
        concat!(
            "SELECT t.id, t.uid, t.slug, t.name, t.country, t.currency, t.timezone, t.status, t.template, t.cell_id,
                 t.role_name::text AS role_name, t.schema_version
             FROM platform.tenant t ",
            $tail,
            " AND t.status NOT IN ('PROVISIONING', 'ARCHIVED')"
        )
    };
}

impl Directory {
    pub fn new(database: Database, base_domain: &str) -> Self {
        let known = Cache::builder().max_capacity(REMEMBERED).time_to_live(MEMORY).build();
        Self(Arc::new(Inner {
            database,
            base_domain: base_domain.trim_matches('.').to_ascii_lowercase(),
            known,
        }))
    }

    pub fn base_domain(&self) -> &str {
        &self.0.base_domain
    }

    /// Whose host this is: `platform.<base>`, `<slug>.<base>` or a verified domain of an ISP's own. Takes a `Host` header's
    /// value, with or without a port. None: nobody's.
    pub async fn resolve(&self, host: &str) -> Result<Option<Site>> {
        let Some(hostname) = hostname(host) else { return Ok(None) };
        let key = match label_under(&hostname, &self.0.base_domain) {
            Some(PLATFORM_LABEL) => return Ok(Some(Site::Platform)),
            Some(label) if super::rules::check_slug(label).is_ok() => Key::Slug(label.to_owned()),
            Some(_) => return Ok(None),
            None => Key::Hostname(hostname),
        };
        Ok(self.find(key).await?.map(Site::Tenant))
    }

    /// For jobs, which name their ISP by number.
    pub async fn by_number(&self, number: i32) -> Result<Option<Tenant>> {
        self.find(Key::Number(number)).await
    }

    pub async fn by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        self.find(Key::Slug(slug.to_owned())).await
    }

    pub async fn by_id(&self, id: TenantId) -> Result<Option<Tenant>> {
        self.find(Key::Id(id)).await
    }

    /// The name that an ISP's people know it by: its primary domain, or else its name under ours. Not remembered.
    pub async fn host_of(&self, tenant: &Tenant) -> Result<String> {
        let tx = self.0.database.begin_platform(Arc::new(Actor::System)).await?;
        let own: Option<String> = tx
            .sql("SELECT hostname FROM platform.domain WHERE tenant_id = $1 AND is_primary AND verified_at IS NOT NULL")
            .bind(tenant.number())
            .scalar()
            .await?;
        Ok(own.unwrap_or_else(|| format!("{}.{}", tenant.slug(), self.0.base_domain)))
    }

    /// Every ISP that is open or suspended, in the order of their numbers; for schedulers. Not remembered.
    pub async fn all(&self) -> Result<Vec<Tenant>> {
        let tx = self.0.database.begin_platform(Arc::new(Actor::System)).await?;
        let records: Vec<TenantRecord> = tx.sql(select_record!("WHERE true")).all().await?;
        let mut tenants = records.into_iter().map(Tenant::new).collect::<Result<Vec<_>>>()?;
        tenants.sort_by_key(Tenant::number);
        Ok(tenants)
    }

    /// Forgets everything. Changes are rare and answers cheap: one change makes every process ask once per host.
    pub fn flush(&self) {
        self.0.known.invalidate_all();
    }

    /// Hears of changes for as long as it runs. Whenever the connection was lost, changes may have been missed: it forgets
    /// everything then.
    pub async fn listen(self) {
        loop {
            let outcome = self.hear().await;
            self.flush();
            if let Err(error) = outcome {
                tracing::warn!(error = error.summary(), "not hearing of tenants' changes; trying again");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn hear(&self) -> Result<()> {
        let mut listener = self.0.database.listen(CHANNEL).await?;
        self.flush();
        // None: the connection was lost and the listener has its own reconnection; start over instead, so as to flush.
        while listener.try_recv().await?.is_some() {
            self.flush();
        }
        Ok(())
    }

    async fn find(&self, key: Key) -> Result<Option<Tenant>> {
        let database = self.0.database.clone();
        let wanted = key.clone();
        Ok(self
            .0
            .known
            .try_get_with(key, async move { read(&database, &wanted).await })
            .await?)
    }
}

async fn read(database: &Database, key: &Key) -> Result<Option<Tenant>> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    let statement = match key {
        Key::Slug(slug) => tx.sql(select_record!("WHERE t.slug = $1")).bind(slug.as_str()),
        Key::Hostname(name) => tx
            .sql(select_record!(
                "WHERE t.id = (SELECT d.tenant_id FROM platform.domain d WHERE d.hostname = $1 AND d.verified_at IS NOT NULL)"
            ))
            .bind(name.as_str()),
        Key::Number(number) => tx.sql(select_record!("WHERE t.id = $1")).bind(*number),
        Key::Id(id) => tx.sql(select_record!("WHERE t.uid = $1")).bind(*id),
    };
    let record: Option<TenantRecord> = statement.optional().await?;
    record.map(Tenant::new).transpose()
}

/// Tells every process, when the transaction commits, that an ISP is not what it was.
pub(super) async fn notify(tx: &PlatformTx, tenant: i32) -> Result<()> {
    tx.sql("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(tenant.to_string())
        .run()
        .await?;
    Ok(())
}

/// The name in a `Host` header, in lower case, without port and final dot.
fn hostname(host: &str) -> Option<String> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) => return None,
        None => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    ((1..=253).contains(&name.len()) && plain).then(|| name.to_ascii_lowercase())
}

/// What stands before `.<base>`.
fn label_under<'a>(hostname: &'a str, base: &str) -> Option<&'a str> {
    hostname.strip_suffix(base)?.strip_suffix('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_browsers_send_them() {
        for (header, name) in [
            ("acme.localhost:8080", Some("acme.localhost")),
            ("ACME.localhost", Some("acme.localhost")),
            ("acme.localhost.", Some("acme.localhost")),
            ("acme.localhost:", Some("acme.localhost")),
            ("", None),
            (":80", None),
            ("acme.localhost:x", None),
            ("[::1]:8080", None),
            ("acme localhost", None),
            ("acme.localhost\0", None),
            ("a/../b", None),
        ] {
            assert_eq!(hostname(header).as_deref(), name, "{header:?}");
        }
        assert_eq!(hostname(&"a".repeat(254)), None);
    }

    #[test]
    fn a_label_stands_right_before_the_base_domain() {
        assert_eq!(label_under("acme.localhost", "localhost"), Some("acme"));
        assert_eq!(label_under("a.b.localhost", "localhost"), Some("a.b"));
        assert_eq!(label_under("localhost", "localhost"), None);
        assert_eq!(label_under("acmelocalhost", "localhost"), None);
        assert_eq!(label_under("acme.example.net", "localhost"), None);
    }
}
