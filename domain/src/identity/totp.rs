//! Second factors: time-based codes (RFC 6238: SHA-1, six digits, 30 seconds, one step of slack either way) and recovery
//! codes. A code is good once: the last used step is kept, and none up to it is taken again.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sha2::{Digest, Sha256};
use totp_rs::{Builder, Totp};
use uuid::Uuid;

use super::side::{Side, both};
use crate::kernel::crypto::SecretKey;
use crate::kernel::error::{Error, ErrorCode, Result};

pub(super) const SEALED_FOR: &str = "totp secret";
/// RFC 4226 asks for 160 bits.
const SECRET: usize = 20;
const RECOVERY_CODES: usize = 10;

/// How far somebody's second factor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// Codes are asked for at sign-in.
    pub enabled: bool,
    pub recovery_codes_left: i64,
}

/// What an authenticator app needs to know; shown once.
#[derive(Clone)]
pub struct Enrolment {
    /// In base 32, to be typed.
    pub secret: String,
    /// `otpauth://totp/…`, to be shown as a QR code.
    pub uri: String,
}

/// What became of the code that came with a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Factor {
    NotAsked,
    Right,
    Missing,
    Wrong,
}

#[derive(FromQueryResult)]
struct Row {
    sealed: Vec<u8>,
    confirmed_at: Option<DateTime<Utc>>,
}

async fn row(side: Side<'_>, principal: Uuid) -> Result<Option<Row>> {
    both!(side, "SELECT sealed, confirmed_at FROM " totp " WHERE principal_id = $1")
        .bind(principal)
        .optional()
        .await
}

pub(super) async fn status(side: Side<'_>, principal: Uuid) -> Result<SecondFactor> {
    let enabled = row(side, principal).await?.is_some_and(|row| row.confirmed_at.is_some());
    let left: Option<i64> = both!(side, "SELECT count(*) FROM " recovery_code " WHERE principal_id = $1 AND used_at IS NULL")
        .bind(principal)
        .scalar()
        .await?;
    Ok(SecondFactor {
        enabled,
        recovery_codes_left: left.unwrap_or(0),
    })
}

/// Makes a secret that waits for its first code. One that waited before is replaced; none when one is confirmed already.
pub(super) async fn enrol(
    side: Side<'_>,
    key: &SecretKey,
    principal: Uuid,
    issuer: &str,
    account: &str,
) -> Result<Option<Enrolment>> {
    let secret: [u8; SECRET] = rand::random();
    let sealed = key.seal(SEALED_FOR, &principal.to_string(), &secret)?;
    let kept = both!(side, "INSERT INTO " totp " AS t (principal_id, sealed, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (principal_id) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at
         WHERE t.confirmed_at IS NULL")
    .bind(principal)
    .bind(sealed)
    .bind(side.now())
    .run()
    .await?;
    if kept == 0 {
        return Ok(None);
    }
    let generator = generator(&secret, issuer, account)?;
    Ok(Some(Enrolment {
        secret: generator.secret().to_base32(),
        uri: generator.to_url().map_err(|e| Error::internal(e.to_string()))?,
    }))
}

/// Switches two-factor sign-in on, with a first code; the recovery codes, shown this once.
pub(super) async fn confirm(side: Side<'_>, key: &SecretKey, principal: Uuid, code: &str) -> Result<Vec<String>> {
    match row(side, principal).await? {
        Some(row) if row.confirmed_at.is_none() => {}
        Some(_) => return Err(Error::state("", "Two-factor sign-in is on already.")),
        None => return Err(Error::state("", "Enrol first.")),
    }
    if !use_step(side, key, principal, code).await? {
        return Err(wrong_code("code"));
    }
    both!(side, "UPDATE " totp " SET confirmed_at = $2 WHERE principal_id = $1")
        .bind(principal)
        .bind(side.now())
        .run()
        .await?;
    side.audit("totpConfirm", principal, serde_json::json!({})).await?;
    renew_recovery_codes(side, principal).await
}

/// Switches two-factor sign-in off. Whoever asks has proved to be the one.
pub(super) async fn remove(side: Side<'_>, principal: Uuid) -> Result<()> {
    both!(side, "DELETE FROM " totp " WHERE principal_id = $1")
        .bind(principal)
        .run()
        .await?;
    both!(side, "DELETE FROM " recovery_code " WHERE principal_id = $1")
        .bind(principal)
        .run()
        .await?;
    side.audit("totpDisable", principal, serde_json::json!({})).await
}

/// Replaces all recovery codes.
pub(super) async fn renew_recovery_codes(side: Side<'_>, principal: Uuid) -> Result<Vec<String>> {
    both!(side, "DELETE FROM " recovery_code " WHERE principal_id = $1")
        .bind(principal)
        .run()
        .await?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| recovery_hash(principal, code)).collect();
    both!(side, "INSERT INTO " recovery_code " (principal_id, hash) SELECT $1, unnest($2::bytea[])")
        .bind(principal)
        .bind(hashes)
        .run()
        .await?;
    Ok(codes)
}

/// Whether somebody needs a code, and what the given one is worth. A right one is used up.
pub(super) async fn check(side: Side<'_>, key: &SecretKey, principal: Uuid, code: Option<&str>) -> Result<Factor> {
    if row(side, principal).await?.is_none_or(|row| row.confirmed_at.is_none()) {
        return Ok(Factor::NotAsked);
    }
    let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else {
        return Ok(Factor::Missing);
    };
    let right = use_step(side, key, principal, code).await? || use_recovery_code(side, principal, code).await?;
    Ok(if right { Factor::Right } else { Factor::Wrong })
}

/// Takes a six-digit code; false when it is wrong or its step was used. Of two callers with one code the second finds the
/// step used.
async fn use_step(side: Side<'_>, key: &SecretKey, principal: Uuid, code: &str) -> Result<bool> {
    let Some(row) = row(side, principal).await? else {
        return Ok(false);
    };
    let secret = key
        .open(SEALED_FOR, &principal.to_string(), &row.sealed)
        .ok_or_else(|| Error::internal("a second factor's secret cannot be unsealed"))?;
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let now = u64::try_from(side.now().timestamp()).unwrap_or(0);
    let six_digits = code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit());
    let step = match six_digits {
        true => generator(&secret, "", "x")?.check(&code, now),
        false => None,
    };
    let Some(step) = step else { return Ok(false) };
    let taken = both!(side, "UPDATE " totp " SET last_step = $2 WHERE principal_id = $1 AND last_step < $2")
        .bind(principal)
        .bind(i64::try_from(step).unwrap_or(i64::MAX))
        .run()
        .await?;
    Ok(taken == 1)
}

async fn use_recovery_code(side: Side<'_>, principal: Uuid, code: &str) -> Result<bool> {
    let taken =
        both!(side, "UPDATE " recovery_code " SET used_at = $3 WHERE principal_id = $1 AND hash = $2 AND used_at IS NULL")
            .bind(principal)
            .bind(recovery_hash(principal, code))
            .bind(side.now())
            .run()
            .await?;
    if taken == 1 {
        side.audit("recoveryCodeUse", principal, serde_json::json!({})).await?;
    }
    Ok(taken == 1)
}

/// A refusal of a code, where the password was right.
pub(super) fn wrong_code(field: &str) -> Error {
    Error::user(
        ErrorCode::InvalidCredentials,
        field,
        "This code is not right, or it was used before.",
    )
}

fn generator(secret: &[u8], issuer: &str, account: &str) -> Result<Totp> {
    // A colon divides issuer and account in the URI.
    let plain = |text: &str| text.replace(':', " ");
    Builder::new()
        .with_secret(secret.to_vec())
        .with_issuer((!issuer.is_empty()).then(|| plain(issuer)))
        .with_account_name(plain(account))
        .build()
        .map_err(|e| Error::internal(e.to_string()))
}

/// Crockford's base 32: no letter that looks like a digit.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Eighty random bits, as four groups of four.
fn recovery_code() -> String {
    let random: [u8; 16] = rand::random();
    let letters: Vec<char> = random.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect();
    letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

/// However it was typed: case, hyphens and blanks do not count, and look-alikes are what they look like.
fn recovery_hash(principal: Uuid, code: &str) -> Vec<u8> {
    let letters = code.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let letters: String = letters
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    Sha256::new()
        .chain_update(principal.as_bytes())
        .chain_update(letters.as_bytes())
        .finalize()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, for SHA-1; ours are the last six of their eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let generator = generator(b"12345678901234567890", "Isp: one", "a@b.example").unwrap();
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(generator.generate(at).to_string(), code);
            assert_eq!(generator.check(code, at), Some(at / 30));
            assert_eq!(generator.check(code, at + 30), Some(at / 30));
            assert_eq!(generator.check(code, at + 90), None);
        }
        let uri = generator.to_url().unwrap();
        assert!(
            uri.starts_with("otpauth://totp/") && uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            "{uri}"
        );
    }

    #[test]
    fn recovery_codes_are_found_as_people_type_them() {
        let id = Uuid::from_u128(1);
        let code = recovery_code();
        assert_eq!(code.len(), 19);
        let typed = code.replace('-', " ").replace('0', "O").replace('1', "l").to_uppercase();
        assert_eq!(recovery_hash(id, &code), recovery_hash(id, &typed));
        assert_ne!(recovery_hash(id, &code), recovery_hash(Uuid::from_u128(2), &code));
        assert_ne!(recovery_code(), code);
    }
}
