//! The programs that read journals, and what they say.

use std::collections::BTreeMap;
use std::process::Command;

use rust_decimal::Decimal;

/// What a program says of a file; it must be content with it.
pub fn run(program: &str, arguments: &[&str], file: &std::path::Path) -> String {
    let mut command = Command::new(program);
    command.env("LANG", "C.UTF-8").env("LC_ALL", "C.UTF-8");
    for argument in arguments {
        match *argument {
            "{}" => command.arg(file),
            other => command.arg(other),
        };
    }
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; `deploy/setup.sh --test` installs it"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}{complaint}");
    said
}

/// `"account","1.00 INR"` a line, without what is zero.
pub fn read_balances(csv: &str, currency: &str) -> BTreeMap<String, Decimal> {
    let mut all = BTreeMap::new();
    for line in csv.lines().skip(1) {
        let (account, amount) = line.split_once(',').unwrap_or_else(|| panic!("{csv}"));
        let plain = |text: &str| text.trim().trim_matches('"').trim().to_owned();
        let amount = plain(amount);
        let amount = amount.strip_suffix(currency).unwrap_or(&amount).trim();
        let amount: Decimal = match amount {
            "" => Decimal::ZERO,
            amount => amount.parse().unwrap_or_else(|e| panic!("{line}: {e}")),
        };
        if !amount.is_zero() {
            all.insert(plain(account), amount);
        }
    }
    all
}
