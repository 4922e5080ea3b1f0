use super::keys::PURPOSE;
use super::totp::SEALED_FOR as TOTP;
use crate::kernel::sealed::{SealedColumn, sealed};

/// What identity keeps sealed.
pub const SEALED: &[SealedColumn] = &[
    sealed!(platform "platform.signing_key"."sealed" by "kid" for PURPOSE),
    sealed!(platform "platform.totp"."sealed" by "principal_id" for TOTP),
    sealed!(tenant "totp"."sealed" by "principal_id" for TOTP),
];
