use async_graphql::{ComplexObject, InputObject, MaybeUndefined, SimpleObject};
use trunkline_domain::identity::{self, CreateRole, UpdateRole};

use crate::graphql::error::payload;
use crate::graphql::scalars::patch;

/// A named set of permissions.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Role {
    /// Names it within the tenant, and never changes.
    code: String,
    /// Its name for people.
    name: String,
    /// What it allows, e.g. "invoice:write".
    permissions: Vec<String>,
    /// Pass it as `expectedVersion` when you change what you have read.
    version: i32,
}

#[ComplexObject]
impl Role {
    /// Whether `roleUpdate` and `roleDelete` refuse it: the owner's role has every permission and stays.
    async fn fixed(&self) -> bool {
        self.code == identity::OWNER
    }
}

impl From<identity::Role> for Role {
    fn from(role: identity::Role) -> Self {
        Self {
            permissions: role.permissions().iter().map(|p| p.to_string()).collect(),
            code: role.code,
            name: role.name,
            version: role.version,
        }
    }
}

/// A role to make.
#[derive(InputObject)]
pub struct RoleCreateInput {
    /// 2 to 40 lower-case letters, digits and inner hyphens; TAKEN when there is one.
    code: String,
    /// Shown to people, 1 to 60 characters.
    name: String,
    /// What it allows, e.g. "invoice:write": of `permissions`, and nothing that you lack yourself.
    permissions: Vec<String>,
}

impl From<RoleCreateInput> for CreateRole {
    fn from(input: RoleCreateInput) -> Self {
        Self {
            code: input.code,
            name: input.name,
            permissions: input.permissions,
        }
    }
}

/// Absent fields stay as they are.
#[derive(InputObject)]
pub struct RoleUpdateInput {
    /// Which role.
    code: String,
    /// `Role.version` as you read it; STALE_VERSION when it has changed since.
    expected_version: i32,
    /// Shown to people, 1 to 60 characters.
    name: MaybeUndefined<String>,
    /// All that it is to allow, and nothing that you lack yourself.
    permissions: MaybeUndefined<Vec<String>>,
}

impl From<RoleUpdateInput> for UpdateRole {
    fn from(input: RoleUpdateInput) -> Self {
        Self {
            code: input.code,
            expected_version: input.expected_version,
            name: patch(input.name, |v| v),
            permissions: patch(input.permissions, |v| v),
        }
    }
}

/// Which role to take away.
#[derive(InputObject)]
pub struct RoleDeleteInput {
    /// Which role.
    pub code: String,
}

/// The role that was taken away.
#[derive(SimpleObject)]
pub struct RoleDeletePayload {
    /// The code that it had; null when refused.
    pub deleted_code: Option<String>,
    /// Business refusals; empty when it was done.
    pub user_errors: Vec<crate::graphql::error::UserError>,
}

payload!(RoleCreatePayload { role: Role });
payload!(RoleUpdatePayload { role: Role });
