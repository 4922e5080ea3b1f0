//! Who signs in, and with which permissions. Owns `platform.account`, `platform.signing_key`, `staff` and `role`.
