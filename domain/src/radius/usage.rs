use chrono::NaiveDate;
use sea_orm::FromQueryResult;

use crate::kernel::Permission;
use crate::kernel::calendar::days_between;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::services::Service;

/// Longest range of days that one question may span, both ends included.
const MAX_DAYS: i64 = 800;

/// What a service used on one of the tenant's days. Directions are the subscriber's.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct UsageDay {
    pub day: NaiveDate,
    pub upload_octets: i64,
    pub download_octets: i64,
    pub session_seconds: i64,
}

/// What a service used in a range of days; days without use are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub upload_octets: i64,
    pub download_octets: i64,
    pub session_seconds: i64,
    pub daily: Vec<UsageDay>,
}

impl From<Vec<UsageDay>> for Usage {
    fn from(daily: Vec<UsageDay>) -> Self {
        let total = |of: fn(&UsageDay) -> i64| daily.iter().map(of).fold(0, i64::saturating_add);
        Self {
            upload_octets: total(|d| d.upload_octets),
            download_octets: total(|d| d.download_octets),
            session_seconds: total(|d| d.session_seconds),
            daily,
        }
    }
}

/// What the service used from one of the tenant's days to another, both included, open sessions as of their last report.
pub async fn usage(tx: &TenantTx, service: &Service, from: NaiveDate, to: NaiveDate) -> Result<Usage> {
    tx.require_for(Permission::SessionRead, service.subscriber_id)?;
    check_range(from, to, "range")?;
    let daily: Vec<UsageDay> = tx
        .sql(
            "SELECT day, upload_octets, download_octets, session_seconds FROM radius.usage_live
             WHERE tenant_id = $1 AND service_id = $2 AND day BETWEEN $3 AND $4 ORDER BY day",
        )
        .bind(tx.tenant().number())
        .bind(service.id)
        .bind(from)
        .bind(to)
        .all()
        .await?;
    Ok(daily.into())
}

/// Refuses a range that runs backwards or is too long.
pub(super) fn check_range(from: NaiveDate, to: NaiveDate, field: &str) -> Result<()> {
    if (0..MAX_DAYS).contains(&days_between(from, to)) {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("`{field}` must span 1 to {MAX_DAYS} days, `from` first."),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_limits() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (from, to, good) in [
            ("2026-04-01", "2026-04-01", true),
            ("2026-04-02", "2026-04-01", false),
            ("2024-01-01", "2026-03-10", true),
            ("2024-01-01", "2026-03-11", false),
        ] {
            assert_eq!(check_range(day(from), day(to), "range").is_ok(), good, "{from}..{to}");
        }
    }

    #[test]
    fn days_add_up() {
        let day = |day: &str, upload_octets| UsageDay {
            day: day.parse().unwrap(),
            upload_octets,
            download_octets: 0,
            session_seconds: 60,
        };
        let usage = Usage::from(vec![day("2026-04-01", 5), day("2026-04-03", i64::MAX)]);
        assert_eq!((usage.upload_octets, usage.session_seconds), (i64::MAX, 120));
        assert_eq!(usage.daily.len(), 2);
    }
}
