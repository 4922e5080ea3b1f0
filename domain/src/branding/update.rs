use serde::Serialize;

use super::Branding;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::patch::Patch;

/// What fits on an invoice's head.
const MAX_ADDRESS_LINES: usize = 6;

/// Absent fields stay as they are; `Patch::Clear` empties what may be empty.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateBranding {
    pub expected_version: i32,
    pub display_name: Patch<String>,
    pub primary_color: Patch<String>,
    pub accent_color: Patch<String>,
    pub support_email: Patch<String>,
    pub support_phone: Patch<String>,
    pub legal_name: Patch<String>,
    pub address: Patch<Vec<String>>,
    pub upi_id: Patch<String>,
}

pub async fn update(tx: &TenantTx, cmd: UpdateBranding) -> Result<Branding> {
    tx.require(Permission::BrandingWrite)?;
    let old = super::lock(tx).await?;
    if old.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let new = changed(old, cmd.clone())?;
    tx.sql(
        "UPDATE branding SET display_name = $1, primary_color = $2, accent_color = $3, support_email = $4, support_phone = $5,
             legal_name = $6, address = $7, upi_id = $8, version = version + 1",
    )
    .bind(new.display_name)
    .bind(new.primary_color)
    .bind(new.accent_color)
    .bind(new.support_email)
    .bind(new.support_phone)
    .bind(new.legal_name)
    .bind(new.address)
    .bind(new.upi_id)
    .run()
    .await?;
    tx.audit("brandingUpdate", tx.tenant().id().0, &cmd).await?;
    super::get(tx).await
}

fn changed(old: Branding, cmd: UpdateBranding) -> Result<Branding> {
    let mut checks = Checks::new();
    let display_name = cmd.display_name.required(old.display_name, "displayName", &mut checks);
    let legal_name = cmd.legal_name.required(old.legal_name, "legalName", &mut checks);
    let primary_color = cmd.primary_color.required(old.primary_color, "primaryColor", &mut checks);
    let accent_color = cmd.accent_color.required(old.accent_color, "accentColor", &mut checks);
    let new = Branding {
        display_name: checks.line(&display_name, 80, "displayName"),
        legal_name: checks.line(&legal_name, 160, "legalName"),
        primary_color: color(&primary_color, "primaryColor", &mut checks),
        accent_color: color(&accent_color, "accentColor", &mut checks),
        support_email: filled(cmd.support_email.or(old.support_email)).map(|e| checks.email(&e, "supportEmail")),
        support_phone: filled(cmd.support_phone.or(old.support_phone)).map(|p| phone(&p, &mut checks)),
        upi_id: filled(cmd.upi_id.or(old.upi_id)).map(|id| upi_id(&id, &mut checks)),
        address: address(cmd.address.or(Some(old.address)).unwrap_or_default(), &mut checks),
        ..old
    };
    checks.done()?;
    Ok(new)
}

/// Blank counts as absent.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.trim().is_empty())
}

fn color(text: &str, field: &str, checks: &mut Checks) -> String {
    let text = text.trim().to_ascii_lowercase();
    let well_formed = text
        .strip_prefix('#')
        .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    checks.ensure(well_formed, field, "Must be a colour such as #1d4ed8.");
    text
}

/// A virtual payment address: NPCI's specification of UPI links, `pa`.
fn upi_id(text: &str, checks: &mut Checks) -> String {
    let text = text.trim();
    let name = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    let handle = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    let well_formed = text.split_once('@').is_some_and(|(user, bank)| {
        (2..=256).contains(&user.len()) && (2..=64).contains(&bank.len()) && name(user) && handle(bank)
    });
    checks.ensure(well_formed, "upiId", "Must be a UPI id such as example@okbank.");
    text.to_owned()
}

/// People read it, so it keeps its blanks.
fn phone(text: &str, checks: &mut Checks) -> String {
    checks.phone(text, "supportPhone");
    text.trim().to_owned()
}

fn address(lines: Vec<String>, checks: &mut Checks) -> Vec<String> {
    checks.ensure(
        lines.len() <= MAX_ADDRESS_LINES,
        "address",
        &format!("Must have at most {MAX_ADDRESS_LINES} lines."),
    );
    lines
        .iter()
        .take(MAX_ADDRESS_LINES)
        .enumerate()
        .map(|(n, line)| checks.line(line, 120, &format!("address.{n}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old() -> Branding {
        Branding {
            display_name: "Asha Net".into(),
            logo_url: None,
            primary_color: "#112233".into(),
            accent_color: "#445566".into(),
            support_email: Some("help@asha.example".into()),
            support_phone: None,
            legal_name: "Asha Networks Pvt Ltd".into(),
            address: vec!["12 MG Road".into(), "Bengaluru".into()],
            upi_id: None,
            version: 3,
        }
    }

    fn nothing() -> UpdateBranding {
        UpdateBranding {
            expected_version: 3,
            display_name: Patch::Keep,
            primary_color: Patch::Keep,
            accent_color: Patch::Keep,
            support_email: Patch::Keep,
            support_phone: Patch::Keep,
            legal_name: Patch::Keep,
            address: Patch::Keep,
            upi_id: Patch::Keep,
        }
    }

    #[test]
    fn absent_fields_stay_and_null_clears() {
        assert_eq!(changed(old(), nothing()).unwrap(), old());
        let cleared = UpdateBranding {
            support_email: Patch::Clear,
            address: Patch::Clear,
            primary_color: Patch::Set("#AABBCC".into()),
            support_phone: Patch::Set(" 1800 425 1234 ".into()),
            upi_id: Patch::Set(" asha.net@okaxis ".into()),
            ..nothing()
        };
        let expected = Branding {
            support_email: None,
            address: Vec::new(),
            primary_color: "#aabbcc".into(),
            support_phone: Some("1800 425 1234".into()),
            upi_id: Some("asha.net@okaxis".into()),
            ..old()
        };
        assert_eq!(changed(old(), cleared).unwrap(), expected);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let cmd = UpdateBranding {
            display_name: Patch::Clear,
            primary_color: Patch::Set("red".into()),
            accent_color: Patch::Set("#12345g".into()),
            support_email: Patch::Set("help".into()),
            support_phone: Patch::Set("call us".into()),
            upi_id: Patch::Set("asha@ok bank".into()),
            address: Patch::Set(vec!["x".into(), " ".into()]),
            ..nothing()
        };
        let Err(Error::User(errors)) = changed(old(), cmd) else {
            panic!("accepted")
        };
        let mut fields: Vec<String> = errors.into_iter().map(|e| e.field.join(".")).collect();
        fields.sort();
        let expected = [
            "accentColor",
            "address.1",
            "displayName",
            "primaryColor",
            "supportEmail",
            "supportPhone",
            "upiId",
        ];
        assert_eq!(fields, expected);
        let lines = UpdateBranding {
            address: Patch::Set(vec!["x".into(); 7]),
            ..nothing()
        };
        assert!(changed(old(), lines).is_err());
    }
}
