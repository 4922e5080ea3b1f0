use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{DecodingKey, EncodingKey};
use sea_orm::FromQueryResult;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::kernel::actor::Actor;
use crate::kernel::crypto::SecretKey;
use crate::kernel::db::{Database, PlatformTx};
use crate::kernel::error::{Error, Result};

/// For how long keys that were read are used without looking again.
const FRESH: Duration = Duration::from_secs(60);
/// How often a kid that we do not know may make us look.
const RELOAD: Duration = Duration::from_secs(2);
const PURPOSE: &str = "signing key";

/// The installation's signing keys, read from the database when needed. The newest signs; all that are not retired verify.
pub(super) struct Keyring {
    database: Database,
    known: Mutex<Option<Known>>,
}

struct Known {
    keys: Arc<Keys>,
    read_at: Instant,
}

pub(super) struct Keys {
    /// None when there is no key, or none that this installation's secret opens.
    signing: Option<(String, EncodingKey)>,
    verifying: HashMap<String, DecodingKey>,
}

impl Keyring {
    pub fn new(database: Database) -> Self {
        Self {
            database,
            known: Mutex::default(),
        }
    }

    /// The key that signs, with its kid; made if there is none yet.
    pub async fn signing(&self) -> Result<(String, EncodingKey)> {
        let mut known = self.known.lock().await;
        let keys = match &*known {
            Some(k) if k.read_at.elapsed() < FRESH && k.keys.signing.is_some() => k.keys.clone(),
            _ => {
                let keys = Arc::new(self.read_or_make().await?);
                *known = Some(Known::now(keys.clone()));
                keys
            }
        };
        keys.signing.clone().ok_or_else(|| Error::internal("there is no signing key"))
    }

    /// The key that verifies what `kid` signed, if it is one of ours.
    pub async fn verifying(&self, kid: &str) -> Result<Option<DecodingKey>> {
        let mut known = self.known.lock().await;
        if let Some(k) = &*known {
            let age = k.read_at.elapsed();
            let found = k.keys.verifying.get(kid);
            if (found.is_some() && age < FRESH) || age < RELOAD {
                return Ok(found.cloned());
            }
        }
        let tx = self.database.begin_platform(Arc::new(Actor::System)).await?;
        let keys = Arc::new(Keys::read(&tx, self.database.secret()).await?);
        *known = Some(Known::now(keys.clone()));
        Ok(keys.verifying.get(kid).cloned())
    }

    async fn read_or_make(&self) -> Result<Keys> {
        let secret = self.database.secret();
        let tx = self.database.begin_platform(Arc::new(Actor::System)).await?;
        let keys = Keys::read(&tx, secret).await?;
        if keys.signing.is_some() {
            return Ok(keys);
        }
        // One process makes the key; the others wait and find it.
        tx.sql("SELECT pg_advisory_xact_lock(hashtext('trunkline.signing_key'))")
            .run()
            .await?;
        let keys = Keys::read(&tx, secret).await?;
        if keys.signing.is_some() {
            return Ok(keys);
        }
        make(&tx, secret).await?;
        let keys = Keys::read(&tx, secret).await?;
        tx.commit().await?;
        Ok(keys)
    }
}

impl Known {
    fn now(keys: Arc<Keys>) -> Self {
        Self {
            keys,
            read_at: Instant::now(),
        }
    }
}

#[derive(FromQueryResult)]
struct Row {
    kid: String,
    sealed: Vec<u8>,
    public_key: Vec<u8>,
}

impl Keys {
    async fn read(tx: &PlatformTx, secret: &SecretKey) -> Result<Self> {
        let rows: Vec<Row> = tx
            .sql(
                "SELECT kid, sealed, public_key FROM platform.signing_key WHERE retired_at IS NULL
                 ORDER BY created_at DESC, kid DESC",
            )
            .all()
            .await?;
        let signing = rows.iter().find_map(|row| {
            let private = secret.open(PURPOSE, &row.kid, &row.sealed)?;
            Some((row.kid.clone(), EncodingKey::from_ed_der(&private)))
        });
        let verifying = rows
            .into_iter()
            .filter(|row| row.public_key.len() == ed25519_dalek::PUBLIC_KEY_LENGTH)
            .map(|row| (row.kid, DecodingKey::from_ed_der(&row.public_key)))
            .collect();
        Ok(Self { signing, verifying })
    }
}

async fn make(tx: &PlatformTx, secret: &SecretKey) -> Result<()> {
    let key = SigningKey::from_bytes(&rand::random());
    let private = key.to_pkcs8_der().map_err(Error::internal)?;
    let kid = Uuid::now_v7().simple().to_string();
    let sealed = secret.seal(PURPOSE, &kid, private.as_bytes())?;
    tx.sql("INSERT INTO platform.signing_key (kid, sealed, public_key, created_at) VALUES ($1, $2, $3, $4)")
        .bind(kid)
        .bind(sealed)
        .bind(key.verifying_key().as_bytes().to_vec())
        .bind(tx.now())
        .run()
        .await?;
    Ok(())
}
