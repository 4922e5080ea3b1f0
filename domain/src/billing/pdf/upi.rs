//! UPI's QR code. NPCI, "UPI Linking Specifications": `upi://pay` with `pa` payee's address, `pn` payee's name, `am` amount,
//! `cu` currency, `tn` note. UPI moves rupees only.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use rust_decimal::Decimal;
use url::form_urlencoded::byte_serialize;

use super::data::Content;
use crate::kernel::error::{Error, Result};

const CURRENCY: &str = "INR";

/// What the code says, where the ISP has a UPI id and the invoice waits for money that UPI can move.
pub fn link(content: &Content) -> Option<String> {
    let (seller, document) = (&content.seller, &content.document);
    let due: Decimal = document.totals.amount_due.parse().ok()?;
    let id = seller.upi_id.as_deref()?;
    let number = document.invoice.number.as_deref()?;
    let waits = document.invoice.status.is_open() && due > Decimal::ZERO && document.invoice.currency.code() == CURRENCY;
    waits.then(|| {
        format!(
            "upi://pay?pa={}&pn={}&am={due}&cu={CURRENCY}&tn={}",
            encoded(id).replace("%40", "@"),
            encoded(&seller.legal_name),
            encoded(number)
        )
    })
}

/// Blanks as `%20`: applications differ in how they read `+`.
fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// As a picture; it scales.
pub fn svg(link: &str) -> Result<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::M).map_err(Error::internal)?;
    Ok(code
        .render::<svg::Color<'_>>()
        .quiet_zone(false)
        .module_dimensions(4, 4)
        .build())
}
