use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{DecodingKey, EncodingKey};
use sea_orm::FromQueryResult;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::token;
use crate::kernel::actor::Actor;
use crate::kernel::crypto::SecretKey;
use crate::kernel::db::{Database, PlatformTx};
use crate::kernel::error::{Error, Result};

/// For how long keys that were read are used without looking again.
const FRESH: Duration = Duration::from_secs(60);
/// How often a kid that we do not know may make us look.
const RELOAD: Duration = Duration::from_secs(2);
pub(super) const PURPOSE: &str = "signing key";

/// After so long a key gets a successor.
const KEY_AGE: TimeDelta = TimeDelta::days(30);
/// A new key is published so long before it signs. Every process has read it by then, and so has who caches the JWKS.
const LEAD: TimeDelta = TimeDelta::minutes(10);
/// A key still verifies so long after its last token has expired.
const SLACK: TimeDelta = TimeDelta::minutes(5);

/// The installation's signing keys, read from the database when needed. The newest whose time has come signs; all that are
/// not retired verify.
pub(super) struct Keyring {
    database: Database,
    known: Mutex<Option<Known>>,
}

struct Known {
    keys: Arc<Keys>,
    read_at: Instant,
}

/// The newest first.
struct Keys(Vec<Key>);

struct Key {
    kid: String,
    signs_from: DateTime<Utc>,
    public: Vec<u8>,
    decoding: DecodingKey,
    /// None when this installation's secret does not open it.
    encoding: Option<EncodingKey>,
}

/// The public half of a key (RFC 8037: `kty` OKP, `crv` Ed25519).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub kid: String,
    /// The key in base64url.
    pub x: String,
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
        let now = self.database.clock().now();
        let mut known = self.known.lock().await;
        if let Some(k) = &*known
            && k.read_at.elapsed() < FRESH
            && let Some(key) = k.keys.signing(now)
        {
            return Ok(key);
        }
        let keys = Arc::new(self.read_or_make().await?);
        *known = Some(Known::now(keys.clone()));
        keys.signing(now).ok_or_else(|| Error::internal("there is no signing key"))
    }

    /// The key that verifies what `kid` signed, if it is one of ours.
    pub async fn verifying(&self, kid: &str) -> Result<Option<DecodingKey>> {
        let mut known = self.known.lock().await;
        if let Some(k) = &*known {
            let age = k.read_at.elapsed();
            let found = k.keys.verifying(kid);
            if (found.is_some() && age < FRESH) || age < RELOAD {
                return Ok(found);
            }
        }
        let keys = self.read().await?;
        let found = keys.verifying(kid);
        *known = Some(Known::now(keys));
        Ok(found)
    }

    /// What anybody may verify our tokens with, keys among it that do not sign yet.
    pub async fn public(&self) -> Result<Vec<PublicKey>> {
        let mut known = self.known.lock().await;
        let keys = match &*known {
            Some(k) if k.read_at.elapsed() < FRESH => k.keys.clone(),
            _ => {
                let keys = self.read().await?;
                *known = Some(Known::now(keys.clone()));
                keys
            }
        };
        Ok(keys.0.iter().map(Key::public).collect())
    }

    async fn read(&self) -> Result<Arc<Keys>> {
        let tx = self.database.begin_platform(Arc::new(Actor::System)).await?;
        Ok(Arc::new(Keys::read(&tx, self.database.secret()).await?))
    }

    async fn read_or_make(&self) -> Result<Keys> {
        let secret = self.database.secret();
        let tx = self.database.begin_platform(Arc::new(Actor::System)).await?;
        let keys = Keys::read(&tx, secret).await?;
        if keys.signing(tx.now()).is_some() {
            return Ok(keys);
        }
        // One process makes the key; the others wait and find it.
        lock(&tx).await?;
        let keys = Keys::read(&tx, secret).await?;
        if keys.signing(tx.now()).is_some() {
            return Ok(keys);
        }
        make(&tx, secret, tx.now()).await?;
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
    sealed: Option<Vec<u8>>,
    public_key: Vec<u8>,
    signs_from: DateTime<Utc>,
}

impl Keys {
    async fn read(tx: &PlatformTx, secret: &SecretKey) -> Result<Self> {
        let rows: Vec<Row> = tx
            .sql(
                "SELECT kid, sealed, public_key, coalesce(signs_from, created_at) AS signs_from FROM platform.signing_key
                 WHERE retired_at IS NULL ORDER BY coalesce(signs_from, created_at) DESC, kid DESC",
            )
            .all()
            .await?;
        let sound = rows
            .into_iter()
            .filter(|row| row.public_key.len() == ed25519_dalek::PUBLIC_KEY_LENGTH);
        let keys = sound.map(|row| {
            let private = row.sealed.and_then(|sealed| secret.open(PURPOSE, &row.kid, &sealed));
            Key {
                decoding: DecodingKey::from_ed_der(&row.public_key),
                encoding: private.map(|private| EncodingKey::from_ed_der(&private)),
                kid: row.kid,
                signs_from: row.signs_from,
                public: row.public_key,
            }
        });
        Ok(Self(keys.collect()))
    }

    /// Before the first key's time (the clock was set back) that one signs.
    fn signing(&self, now: DateTime<Utc>) -> Option<(String, EncodingKey)> {
        let able = || self.0.iter().filter(|key| key.encoding.is_some());
        let key = able().find(|key| key.signs_from <= now).or_else(|| able().next_back())?;
        Some((key.kid.clone(), key.encoding.clone()?))
    }

    fn verifying(&self, kid: &str) -> Option<DecodingKey> {
        let key = self.0.iter().find(|key| key.kid == kid)?;
        Some(key.decoding.clone())
    }
}

impl Key {
    fn public(&self) -> PublicKey {
        PublicKey {
            kid: self.kid.clone(),
            x: URL_SAFE_NO_PAD.encode(&self.public),
        }
    }
}

async fn lock(tx: &PlatformTx) -> Result<()> {
    tx.sql("SELECT pg_advisory_xact_lock(hashtext('trunkline.signing_key'))")
        .run()
        .await?;
    Ok(())
}

async fn make(tx: &PlatformTx, secret: &SecretKey, signs_from: DateTime<Utc>) -> Result<String> {
    let key = SigningKey::from_bytes(&rand::random());
    let private = key.to_pkcs8_der().map_err(Error::internal)?;
    let kid = Uuid::now_v7().simple().to_string();
    let sealed = secret.seal(PURPOSE, &kid, private.as_bytes())?;
    tx.sql("INSERT INTO platform.signing_key (kid, sealed, public_key, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)")
        .bind(kid.as_str())
        .bind(sealed)
        .bind(key.verifying_key().as_bytes().to_vec())
        .bind(tx.now())
        .bind(signs_from)
        .run()
        .await?;
    Ok(kid)
}

/// How a key gets its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The new key is published now and signs some minutes later; the old ones verify until their last token has expired.
    Planned,
    /// The new key signs at once, and no process takes an old one's token for longer than it remembers keys: a minute. Access
    /// tokens under way are refused then; sessions go on with their refresh tokens.
    Leaked,
}

/// Makes a new signing key; its kid.
pub async fn rotate_keys(database: &Database, rotation: Rotation) -> Result<String> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    lock(&tx).await?;
    let kid = match rotation {
        Rotation::Planned => make(&tx, database.secret(), tx.now() + LEAD).await?,
        Rotation::Leaked => {
            tx.sql("UPDATE platform.signing_key SET retired_at = $1, sealed = NULL WHERE retired_at IS NULL")
                .bind(tx.now())
                .run()
                .await?;
            make(&tx, database.secret(), tx.now()).await?
        }
    };
    let detail = serde_json::json!({ "kid": kid, "leaked": rotation == Rotation::Leaked });
    tx.audit("keysRotate", Uuid::try_parse(&kid).map_err(Error::internal)?, detail)
        .await?;
    tx.commit().await?;
    Ok(kid)
}

/// Gives the newest key a successor when it is old enough, and retires those whose last token has expired; their private
/// halves are destroyed.
pub(super) async fn keep(database: &Database) -> Result<()> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    lock(&tx).await?;
    let newest: Option<Option<DateTime<Utc>>> = tx
        .sql("SELECT max(coalesce(signs_from, created_at)) FROM platform.signing_key WHERE retired_at IS NULL")
        .scalar()
        .await?;
    if newest.flatten().is_some_and(|newest| newest + KEY_AGE <= tx.now()) {
        let kid = make(&tx, database.secret(), tx.now() + LEAD).await?;
        tracing::info!(kid, "a new signing key was made");
    }
    tx.sql(
        "UPDATE platform.signing_key k SET retired_at = $1, sealed = NULL WHERE retired_at IS NULL AND EXISTS (
             SELECT FROM platform.signing_key n WHERE n.retired_at IS NULL AND coalesce(n.signs_from, n.created_at) <= $2
                 AND coalesce(n.signs_from, n.created_at) > coalesce(k.signs_from, k.created_at))",
    )
    .bind(tx.now())
    .bind(tx.now() - token::LIFETIME - SLACK)
    .run()
    .await?;
    tx.commit().await
}

/// A key as the operator sees it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct KeyState {
    pub kid: String,
    pub signs_from: DateTime<Utc>,
    pub retired_at: Option<DateTime<Utc>>,
}

/// All keys there ever were, the newest first.
pub async fn key_states(database: &Database) -> Result<Vec<KeyState>> {
    let tx = database.begin_platform(Arc::new(Actor::System)).await?;
    tx.sql(
        "SELECT kid, coalesce(signs_from, created_at) AS signs_from, retired_at FROM platform.signing_key
         ORDER BY coalesce(signs_from, created_at) DESC, kid DESC",
    )
    .all()
    .await
}
