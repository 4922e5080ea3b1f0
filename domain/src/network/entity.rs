use chrono::{DateTime, Utc};
use sea_orm::{DeriveValueType, FromQueryResult};
use serde::Serialize;
use strum::{Display, EnumString};

use crate::kernel::ids::NasId;

/// Decides in which attributes a speed is told, and how the router is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString, Serialize, DeriveValueType)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
#[sea_orm(value_type = "String")]
pub enum NasVendor {
    Mikrotik,
    Cisco,
    Juniper,
    Huawei,
    Generic,
}

#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Nas {
    pub id: NasId,
    pub name: String,
    /// Source address of its packets; without one it is not answered.
    pub address: Option<String>,
    pub vendor: NasVendor,
    pub coa_port: i32,
    pub last_seen_at: Option<DateTime<Utc>>,
    /// Heard of within the last five minutes.
    pub online: bool,
    /// Counts changes, for `expectedVersion`.
    pub version: i32,
}
