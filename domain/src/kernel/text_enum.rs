//! Enumerations that are text in the database and SCREAMING_SNAKE_CASE to callers.

/// Declares such enumerations, with their conversions.
macro_rules! text_enum {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident),+ $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumIter, strum::EnumString, serde::Serialize, serde::Deserialize,
                sea_orm::DeriveValueType,
            )]
            #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
            #[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
            #[sea_orm(value_type = "String")]
            pub enum $name { $($variant),+ }
        )+
    };
}
pub(crate) use text_enum;
