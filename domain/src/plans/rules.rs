use rust_decimal::Decimal;
use serde::Serialize;

use super::entity::{ExitKind, IntervalUnit, MinimumTerm, Plan};
use crate::kernel::check::Checks;
use crate::kernel::money::{Currency, Money};

/// What a version of a plan consists of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Terms {
    pub price: Decimal,
    pub tax_inclusive: bool,
    pub tax_code: Option<String>,
    pub download_kbps: Option<i32>,
    pub upload_kbps: Option<i32>,
    pub data_cap_bytes: Option<i64>,
    pub fair_use_download_kbps: Option<i32>,
    pub fair_use_upload_kbps: Option<i32>,
    pub simultaneous_sessions: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_term: Option<MinimumTerm>,
}

/// Above this a price is a slip of the finger.
const MAX_PRICE: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
/// 400 Gbit/s.
const MAX_KBPS: i32 = 400_000_000;

impl Terms {
    pub fn of(plan: &Plan) -> Self {
        Self {
            price: plan.price,
            tax_inclusive: plan.tax_inclusive,
            tax_code: plan.tax_code.clone(),
            download_kbps: plan.download_kbps,
            upload_kbps: plan.upload_kbps,
            data_cap_bytes: plan.data_cap_bytes,
            fair_use_download_kbps: plan.fair_use_download_kbps,
            fair_use_upload_kbps: plan.fair_use_upload_kbps,
            simultaneous_sessions: plan.simultaneous_sessions,
            trial_days: plan.trial_days,
            minimum_term: plan.minimum_term(),
        }
    }

    /// Notes everything that is wrong with them; the price gets the currency's scale.
    pub fn check(&mut self, checks: &mut Checks, currency: Currency) {
        checks.ensure(
            !self.price.is_sign_negative() || self.price.is_zero(),
            "price",
            "Must not be negative.",
        );
        checks.ensure(self.price <= MAX_PRICE, "price", "Is larger than any price can be.");
        match Money::new(self.price, currency) {
            Ok(money) => self.price = money.amount(),
            Err(_) => checks.ensure(false, "price", &format!("Must have at most {} decimals.", currency.scale())),
        }
        self.tax_code = checks.optional_line(self.tax_code.as_deref(), 20, "taxCode");
        let speeds = [
            ("downloadKbps", self.download_kbps),
            ("uploadKbps", self.upload_kbps),
            ("fairUseDownloadKbps", self.fair_use_download_kbps),
            ("fairUseUploadKbps", self.fair_use_upload_kbps),
        ];
        for (field, kbps) in speeds {
            checks.ensure(
                kbps.is_none_or(|k| (1..=MAX_KBPS).contains(&k)),
                field,
                "Must be 1 to 400000000 kbit/s.",
            );
        }
        checks.ensure(self.data_cap_bytes.is_none_or(|b| b > 0), "dataCapBytes", "Must be positive.");
        checks.ensure(
            (1..=1000).contains(&self.simultaneous_sessions),
            "simultaneousSessions",
            "Must be 1 to 1000.",
        );
        let sound = self.trial_days.is_none_or(|n| (1..=366).contains(&n));
        checks.ensure(sound, "trialDays", "Must be 1 to 366.");
        if let Some(term) = &mut self.minimum_term {
            term.check(checks, currency);
        }
    }
}

impl MinimumTerm {
    fn check(&mut self, checks: &mut Checks, currency: Currency) {
        let days = self.unit != IntervalUnit::Hour;
        checks.ensure(days, "minimumTerm.length.unit", "Must be days, weeks, months or years.");
        checks.ensure(
            (1..=366).contains(&self.count),
            "minimumTerm.length.count",
            "Must be 1 to 366.",
        );
        let field = "minimumTerm.value";
        checks.ensure(self.exit_value > Decimal::ZERO, field, "Must be more than 0.");
        if self.exit_kind == ExitKind::Remaining {
            checks.ensure(self.exit_value <= Decimal::ONE_HUNDRED, field, "Must be at most 100 percent.");
            checks.ensure(
                self.exit_value.normalize().scale() <= 4,
                field,
                "Must have at most 4 decimals.",
            );
            self.exit_value = self.exit_value.round_dp(4).normalize();
            return;
        }
        checks.ensure(self.exit_value <= MAX_PRICE, field, "Is larger than any price can be.");
        match Money::new(self.exit_value, currency) {
            Ok(money) => self.exit_value = money.amount(),
            Err(_) => checks.ensure(false, field, &format!("Must have at most {} decimals.", currency.scale())),
        }
    }
}
