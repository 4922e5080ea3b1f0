use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use trunkline_domain::Result;
use trunkline_domain::kernel::ids::NasId;
use trunkline_domain::network::{self, CreateNas, NasSecret, UpdateNas};

use crate::graphql::ctx::{CtxExt, lookup};
use crate::graphql::error::payload;
use crate::graphql::ids;
use crate::graphql::page::connection;
use crate::graphql::scalars::{DateTime, patch};

/// Whose dialect a router speaks.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "network::NasVendor")]
pub enum NasVendor {
    /// MikroTik RouterOS.
    Mikrotik,
    /// Cisco IOS.
    Cisco,
    /// Juniper Junos.
    Juniper,
    /// Huawei VRP.
    Huawei,
    /// Attributes of the standards alone.
    Generic,
}

/// A router that asks RADIUS about the ISP's subscribers.
#[derive(Clone)]
pub struct Nas(pub network::Nas);

impl From<network::Nas> for Nas {
    fn from(nas: network::Nas) -> Self {
        Self(nas)
    }
}

/// A router that asks RADIUS about the ISP's subscribers.
#[Object]
impl Nas {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// What you call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Source address of its RADIUS packets, one NAS of the platform each; null where it is known by certificate or port.
    async fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// Whose dialect it speaks.
    async fn vendor(&self) -> NasVendor {
        self.0.vendor.into()
    }

    /// CoA/Disconnect port.
    async fn coa_port(&self) -> i32 {
        self.0.coa_port
    }

    /// Noted at most once a minute.
    async fn last_seen_at(&self) -> Option<DateTime> {
        self.0.last_seen_at.map(DateTime)
    }

    /// Heard of within the last five minutes.
    async fn online(&self) -> bool {
        self.0.online
    }

    /// Commands that set the router up for this platform. The secret is write-only: put it in place of SECRET.
    async fn setup_script(&self, ctx: &Context<'_>) -> String {
        network::setup_script(&self.0, ctx.rq().radius())
    }

    /// Pass it as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

connection!(NasConnection, NasEdge, Nas);
lookup!(NasId => network::Nas, network::by_ids, |nas| nas.id);

/// A router that may ask.
#[derive(InputObject)]
pub struct NasCreateInput {
    /// What you call it.
    name: String,
    /// Source address of its RADIUS packets, IPv4 or IPv6; without one it is not answered.
    address: Option<String>,
    /// 12 to 128 printable ASCII characters without blanks, quotes and backslashes. Never shown again.
    secret: String,
    /// Whose dialect it speaks.
    #[graphql(default_with = "NasVendor::Mikrotik")]
    vendor: NasVendor,
    /// Where it hears of changes; 3799 when absent.
    #[graphql(default = 3799)]
    coa_port: i32,
}

impl From<NasCreateInput> for CreateNas {
    fn from(input: NasCreateInput) -> Self {
        Self {
            name: input.name,
            address: input.address,
            secret: NasSecret::new(input.secret),
            vendor: input.vendor.into(),
            coa_port: input.coa_port,
        }
    }
}

/// What is absent stays; null clears it.
#[derive(InputObject)]
pub struct NasUpdateInput {
    /// Which router.
    id: ID,
    /// The `version` that you saw; another one is STALE_VERSION.
    expected_version: i32,
    /// What you call it.
    name: MaybeUndefined<String>,
    /// Null: it is no longer answered.
    address: MaybeUndefined<String>,
    /// The secret that it shares with RADIUS.
    secret: MaybeUndefined<String>,
    /// Whose dialect it speaks.
    vendor: MaybeUndefined<NasVendor>,
    /// Where it hears of changes.
    coa_port: MaybeUndefined<i32>,
}

impl NasUpdateInput {
    pub fn command(self) -> Result<UpdateNas> {
        Ok(UpdateNas {
            id: ids::input(&self.id, "id")?,
            expected_version: self.expected_version,
            name: patch(self.name, |v| v),
            address: patch(self.address, |v| v),
            secret: patch(self.secret, NasSecret::new),
            vendor: patch(self.vendor, Into::into),
            coa_port: patch(self.coa_port, |v| v),
        })
    }
}

payload!(NasCreatePayload { nas: Nas });
payload!(NasUpdatePayload { nas: Nas });
