//! Wrong attempts to sign in. Counted in the database, so that all processes together allow what one does, and in a fixed
//! number of rows besides those of real people, so that no flood of names or addresses fills anything.
//!
//! An attempt on somebody is counted before its password is looked at and taken back when it was right: attempts at the same
//! time cannot slip past the limit. While somebody is blocked even the right password is refused, with the same words as a
//! wrong one; otherwise guessing would go on during the block, and the answer would tell who has an account (OWASP
//! Authentication Cheat Sheet). Each block is twice as long as the last, up to an hour, and attempts during it do not make it
//! longer: nobody is kept out for good by another's guesses. A password reset lifts it.

use std::net::IpAddr;

use uuid::Uuid;

use super::side::{Side, both};
use crate::kernel::crypto::SecretKey;
use crate::kernel::db::PlatformTx;
use crate::kernel::error::Result;

/// Wrong attempts in a row that cost nothing; after the last one the first block begins, a minute long.
pub(super) const FREE: i32 = 10;
const LONGEST_BLOCK_MINUTES: i32 = 60;
/// Wrong attempts from one address, on whatever accounts and hosts, in a quarter of an hour. Many subscribers of one ISP may
/// share an address.
pub(super) const PER_ADDRESS: i32 = 100;
/// Rows that names which nobody has share, in each schema.
const NOBODIES: u16 = 1024;

/// What somebody got wrong, as operators count it.
#[derive(Clone, Copy, Debug, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Wrong {
    Password,
    Code,
    RefreshToken,
    Link,
}

/// Counts a failure for operators, of whatever account.
pub(super) fn failed(wrong: Wrong) {
    metrics::counter!("trunkline_sign_in_failures_total", "wrong" => <&'static str>::from(wrong)).increment(1);
}

/// Counts an attempt on somebody; false when it is blocked and must be refused whatever its password. A row is written either
/// way, so that the time it takes does not tell.
pub(super) async fn reserve(side: Side<'_>, principal: Uuid) -> Result<bool> {
    let may_try: Option<bool> = both!(side, "INSERT INTO " sign_in_failure " AS f (principal_id, failures, last_at)
         VALUES ($1, 1, statement_timestamp())
         ON CONFLICT (principal_id) DO UPDATE SET (failures, last_at) = (SELECT
             CASE WHEN b.blocked THEN f.failures WHEN f.last_at < statement_timestamp() - interval '1 day' THEN 1
                 ELSE f.failures + 1 END,
             CASE WHEN b.blocked THEN f.last_at ELSE statement_timestamp() END
             FROM (SELECT f.failures >= $2 AND f.last_at + make_interval(mins => least($3, 1 << least(f.failures - $2, 20)))
                 > statement_timestamp() AS blocked) b)
         RETURNING last_at = statement_timestamp()")
    .bind(principal)
    .bind(FREE)
    .bind(LONGEST_BLOCK_MINUTES)
    .scalar()
    .await?;
    Ok(may_try == Some(true))
}

/// Takes one counted attempt back: the password was right, and something else is still missing.
pub(super) async fn forgive(side: Side<'_>, principal: Uuid) -> Result<()> {
    both!(side, "UPDATE " sign_in_failure " SET failures = greatest(failures - 1, 0) WHERE principal_id = $1")
        .bind(principal)
        .run()
        .await?;
    Ok(())
}

/// Forgets all wrong attempts: somebody proved who they are.
pub(super) async fn clear(side: Side<'_>, principal: Uuid) -> Result<()> {
    both!(side, "DELETE FROM " sign_in_failure " WHERE principal_id = $1")
        .bind(principal)
        .run()
        .await?;
    Ok(())
}

/// For whom attempts on a name that nobody has are counted, so that the same is done for every name. Which names share it
/// cannot be told without the key.
pub(super) fn nobody(key: &SecretKey, login: &str) -> Uuid {
    let mac = key.mac("sign-in name", login.to_lowercase().as_bytes());
    let number = u16::from_be_bytes([mac[0], mac[1]]) % NOBODIES;
    Uuid::from_u128(u128::from(number))
}

/// Whether this address may go on trying.
pub(super) async fn address_may_try(tx: &PlatformTx, key: &SecretKey, address: IpAddr) -> Result<bool> {
    let failures: Option<i32> = tx
        .sql("SELECT failures FROM platform.sign_in_address WHERE bucket = $1 AND window_ends > statement_timestamp()")
        .bind(bucket(key, address))
        .scalar()
        .await?;
    Ok(failures.unwrap_or(0) < PER_ADDRESS)
}

/// Counts a wrong attempt from this address.
pub(super) async fn count_address(tx: &PlatformTx, key: &SecretKey, address: IpAddr) -> Result<()> {
    tx.sql(
        "INSERT INTO platform.sign_in_address AS a (bucket, failures, window_ends)
         VALUES ($1, 1, statement_timestamp() + interval '15 minutes')
         ON CONFLICT (bucket) DO UPDATE SET
             failures = CASE WHEN a.window_ends > statement_timestamp() THEN a.failures + 1 ELSE 1 END,
             window_ends = CASE WHEN a.window_ends > statement_timestamp() THEN a.window_ends ELSE excluded.window_ends END",
    )
    .bind(bucket(key, address))
    .run()
    .await?;
    Ok(())
}

/// One of 65,536 rows. Filling them all would take more password checks in a quarter of an hour than a server can do.
fn bucket(key: &SecretKey, address: IpAddr) -> i32 {
    let mac = match address.to_canonical() {
        IpAddr::V4(v4) => key.mac("sign-in address", &v4.octets()),
        // A household or server has a /64 at least: its addresses are one.
        IpAddr::V6(v6) => key.mac("sign-in address", &v6.octets()[..8]),
    };
    i32::from(u16::from_be_bytes([mac[0], mac[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_holder_are_one() {
        let key = SecretKey::new(&[7; 32]).unwrap();
        let of = |text: &str| bucket(&key, text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }

    #[test]
    fn names_that_nobody_has_share_a_thousand_rows() {
        let key = SecretKey::new(&[7; 32]).unwrap();
        let rows: std::collections::BTreeSet<_> = (0..20_000).map(|n| nobody(&key, &format!("n{n}@x.example"))).collect();
        assert_eq!(rows.len(), usize::from(NOBODIES));
        assert_eq!(nobody(&key, "A@x.example"), nobody(&key, "a@X.example"));
    }
}
