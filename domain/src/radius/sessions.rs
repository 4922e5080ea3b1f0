use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::FromQueryResult;

use super::usage::check_range;
use crate::kernel::Permission;
use crate::kernel::calendar::Zone;
use crate::kernel::db::{Sql, TenantTx};
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{NasId, RadiusSessionId, ServiceId, SubscriberId};
use crate::kernel::page::{Page, PageRequest};

/// A session as a router reported it: open, or finished. Directions are the subscriber's.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct RadiusSession {
    pub id: RadiusSessionId,
    /// None: its user name was none of ours.
    pub service_id: Option<ServiceId>,
    /// None: the router has been removed since.
    pub nas_id: Option<NasId>,
    pub username: String,
    pub framed_ip_address: Option<String>,
    pub calling_station_id: Option<String>,
    pub started_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub upload_octets: i64,
    pub download_octets: i64,
    pub terminate_cause: Option<String>,
}

/// Sessions are listed by their start, newest first.
pub type SessionKey = (DateTime<Utc>, RadiusSessionId);

/// Days of the tenant's on which the sessions started, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// Which sessions a list shows. A range of starts is required unless only open sessions are asked for: accounting is large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    pub service_id: Option<ServiceId>,
    pub nas_id: Option<NasId>,
    pub online: Option<bool>,
    pub started: Option<Started>,
}

macro_rules! columns {
    () => {
        "SELECT s.acctuniqueid AS id, s.service_id, n.uid AS nas_id, s.username, host(s.framedipaddress) AS framed_ip_address,
             s.callingstationid AS calling_station_id, s.acctstarttime AS started_at, s.acctupdatetime AS updated_at,
             s.acctstoptime AS ended_at, s.acctinputoctets AS upload_octets, s.acctoutputoctets AS download_octets,
             s.acctterminatecause AS terminate_cause "
    };
}

macro_rules! with_nas {
    ($sessions:literal) => {
        concat!(
            "FROM ",
            $sessions,
            " s LEFT JOIN radius.nas n ON n.id = s.nas_id AND n.tenant_id = s.tenant_id WHERE s.tenant_id = $1 "
        )
    };
}

/// Open sessions: few enough to be listed whenever they started. `$2` service, `$3` NAS, `$4` and `$5` range of starts.
macro_rules! open {
    () => {
        concat!(
            with_nas!("radius.session"),
            "AND s.acctstoptime IS NULL AND ($2::uuid IS NULL OR s.service_id = $2) AND ($3::uuid IS NULL OR n.uid = $3)
             AND ($4::timestamptz IS NULL OR s.acctstarttime >= $4) AND ($5::timestamptz IS NULL OR s.acctstarttime < $5) "
        )
    };
}

/// Sessions that started in a range, which chooses the partitions: all of them, or the finished ones.
macro_rules! started {
    ($finished:literal) => {
        concat!(
            with_nas!("radius.session_all"),
            "AND ($2::uuid IS NULL OR s.service_id = $2) AND ($3::uuid IS NULL OR n.uid = $3)
             AND s.acctstarttime >= $4 AND s.acctstarttime < $5 ",
            $finished
        )
    };
}

macro_rules! page {
    ($rows:expr) => {
        concat!(
            columns!(),
            $rows,
            "AND ($6::timestamptz IS NULL OR (s.acctstarttime, s.acctuniqueid) < ($6, $7))
             ORDER BY s.acctstarttime DESC, s.acctuniqueid DESC LIMIT $8"
        )
    };
}

impl SessionFilter {
    fn check(&self) -> Result<()> {
        match self.started {
            Some(range) => check_range(range.from, range.to, "filter.started"),
            None if self.online == Some(true) => Ok(()),
            None => Err(Error::user(
                ErrorCode::Required,
                "filter.started",
                "`filter.started` is required unless `online` is true.",
            )),
        }
    }

    /// Binds `$1` to `$5`.
    fn bind<'t>(&self, tx: &TenantTx, sql: Sql<'t>) -> Sql<'t> {
        let zone = Zone::from(tx.tenant().timezone());
        let from = self.started.map(|s| zone.start_of_day(s.from));
        let until = self.started.and_then(|s| s.to.succ_opt()).map(|day| zone.start_of_day(day));
        sql.bind(tx.tenant().number())
            .bind(self.service_id)
            .bind(self.nas_id)
            .bind(from)
            .bind(until)
    }
}

/// A page of sessions, for staff.
pub async fn sessions(tx: &TenantTx, page: PageRequest<SessionKey>, filter: SessionFilter) -> Result<Page<RadiusSession>> {
    tx.require(Permission::SessionRead)?;
    filter.check()?;
    let text = match filter.online {
        Some(true) => page!(open!()),
        Some(false) => page!(started!("AND s.acctstoptime IS NOT NULL ")),
        None => page!(started!("")),
    };
    let (started_at, id) = page.after.unzip();
    let rows = filter
        .bind(tx, tx.sql(text))
        .bind(started_at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count_sessions(tx: &TenantTx, filter: SessionFilter) -> Result<i64> {
    tx.require(Permission::SessionRead)?;
    filter.check()?;
    let text = match filter.online {
        Some(true) => concat!("SELECT count(*) ", open!()),
        Some(false) => concat!("SELECT count(*) ", started!("AND s.acctstoptime IS NOT NULL ")),
        None => concat!("SELECT count(*) ", started!("")),
    };
    Ok(filter.bind(tx, tx.sql(text)).scalar().await?.unwrap_or(0))
}

/// A session by its id, for staff; where a router used one id for several sessions, the newest.
pub async fn find_session(tx: &TenantTx, id: RadiusSessionId) -> Result<Option<RadiusSession>> {
    tx.require(Permission::SessionRead)?;
    tx.sql(concat!(
        columns!(),
        with_nas!("radius.session_all"),
        "AND s.acctuniqueid = $2 ORDER BY s.acctstarttime DESC LIMIT 1"
    ))
    .bind(tx.tenant().number())
    .bind(id)
    .optional()
    .await
}

/// Whether the services have an open session. Services of which the actor may not know are left out.
pub async fn online(tx: &TenantTx, services: &[(ServiceId, SubscriberId)]) -> Result<HashMap<ServiceId, bool>> {
    let may_know = |(_, subscriber): &&(ServiceId, SubscriberId)| tx.require_for(Permission::SessionRead, *subscriber).is_ok();
    let asked: Vec<ServiceId> = services.iter().filter(may_know).map(|(service, _)| *service).collect();
    let online: Vec<ServiceId> = tx
        .sql("SELECT DISTINCT service_id FROM radius.session WHERE tenant_id = $1 AND service_id = ANY($2) AND acctstoptime IS NULL")
        .bind(tx.tenant().number())
        .bind(ServiceId::array(&asked))
        .scalars()
        .await?;
    Ok(asked
        .into_iter()
        .map(|service| (service, online.contains(&service)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_required_unless_only_open_sessions_are_asked_for() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let april = Some(Started {
            from: day("2026-04-01"),
            to: day("2026-04-30"),
        });
        let backwards = Some(Started {
            from: day("2026-04-02"),
            to: day("2026-04-01"),
        });
        for (online, started, good) in [
            (None, None, false),
            (Some(false), None, false),
            (Some(true), None, true),
            (None, april, true),
            (Some(true), april, true),
            (Some(true), backwards, false),
        ] {
            let filter = SessionFilter {
                online,
                started,
                ..SessionFilter::default()
            };
            assert_eq!(filter.check().is_ok(), good, "{filter:?}");
        }
    }
}
