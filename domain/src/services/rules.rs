//! Which state may follow which, and what user names, passwords and reasons must look like. Pure.

use super::entity::{ServiceState, SuspensionCause};
use crate::kernel::check::Checks;
use crate::kernel::error::{Error, ErrorCode, Result};

/// A state as far as the state machine tells states apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Pending,
    Active,
    Grace,
    /// Suspended for want of money: arrears or expired.
    Blocked,
    /// Suspended for its subscriber: a pause.
    Paused,
    /// Suspended by staff, who may also take over what is off for another reason.
    Stopped,
    Terminated,
}

/// The state machine of a service: what each state may become. A service that is terminated stays so.
const TRANSITIONS: &[(Phase, &[Phase])] = &[
    (Phase::Pending, &[Phase::Active, Phase::Terminated]),
    (
        Phase::Active,
        &[Phase::Grace, Phase::Blocked, Phase::Paused, Phase::Stopped, Phase::Terminated],
    ),
    (
        Phase::Grace,
        &[
            Phase::Active,
            Phase::Blocked,
            Phase::Paused,
            Phase::Stopped,
            Phase::Terminated,
        ],
    ),
    (
        Phase::Blocked,
        &[
            Phase::Active,
            Phase::Grace,
            Phase::Blocked,
            Phase::Paused,
            Phase::Stopped,
            Phase::Terminated,
        ],
    ),
    (
        Phase::Paused,
        &[Phase::Active, Phase::Grace, Phase::Blocked, Phase::Stopped, Phase::Terminated],
    ),
    (
        Phase::Stopped,
        &[Phase::Active, Phase::Grace, Phase::Blocked, Phase::Terminated],
    ),
    (Phase::Terminated, &[]),
];

impl ServiceState {
    fn phase(&self) -> Phase {
        match self {
            Self::Pending => Phase::Pending,
            Self::Active => Phase::Active,
            Self::Grace => Phase::Grace,
            Self::Suspended(s) if s.cause.is_for_money() => Phase::Blocked,
            Self::Suspended(s) if s.cause == SuspensionCause::Subscriber => Phase::Paused,
            Self::Suspended(_) => Phase::Stopped,
            Self::Terminated => Phase::Terminated,
        }
    }

    /// Whether `next` may follow.
    pub fn may_become(&self, next: &Self) -> bool {
        TRANSITIONS
            .iter()
            .any(|(from, to)| *from == self.phase() && to.contains(&next.phase()))
    }

    /// As [`Self::may_become`], naming both in the refusal.
    pub fn check_becomes(&self, next: &Self) -> Result<()> {
        if self.may_become(next) {
            return Ok(());
        }
        Err(Error::state("id", format!("A service that is {self} cannot become {next}.")))
    }
}

impl std::fmt::Display for ServiceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.cause() {
            Some(cause) => write!(f, "SUSPENDED ({cause})"),
            None => write!(f, "{}", self.status()),
        }
    }
}

/// Letters, digits and what e-mail addresses, MAC addresses and paths of access nodes are made of: everything that
/// routers, RADIUS and people on the telephone treat alike.
const USERNAME_SIGNS: &[u8] = b"._@+-:/#=~";

/// User name and password as the plan wants them: both for one with network access, neither for one without. Returns
/// the user name.
pub(super) fn check_login(
    network_access: bool,
    username: Option<&str>,
    password: Option<&str>,
    checks: &mut Checks,
) -> Option<String> {
    // A form sends empty fields for what was left out.
    let username = username.filter(|u| !u.is_empty());
    let password = password.filter(|p| !p.is_empty());
    if !network_access {
        const NONE: &str = "The plan gives no network access, so there is nothing to sign in to.";
        checks.ensure(username.is_none(), "username", NONE);
        checks.ensure(password.is_none(), "password", NONE);
        return None;
    }
    match username {
        None => checks.add(
            ErrorCode::Required,
            "username",
            "The plan gives network access, which needs a user name.",
        ),
        Some(name) => checks.ensure(
            is_username(name),
            "username",
            "Must be 1 to 64 letters, digits and signs of ._@+-:/#=~ without blanks.",
        ),
    }
    match password {
        None => checks.add(
            ErrorCode::Required,
            "password",
            "The plan gives network access, which needs a password.",
        ),
        Some(password) => check_network_password(password, "password", checks),
    }
    username.map(str::to_owned)
}

fn is_username(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || USERNAME_SIGNS.contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// What a router may send for a subscriber. CHAP and MS-CHAP differ on anything beyond ASCII.
pub fn check_network_password(password: &str, field: &str, checks: &mut Checks) {
    let printable = password.bytes().all(|b| (b' '..=b'~').contains(&b));
    checks.ensure(
        (6..=128).contains(&password.len()) && printable,
        field,
        "Must have 6 to 128 printable ASCII characters.",
    );
}

/// Why staff switch a service off.
pub fn check_reason(reason: &str, field: &str, checks: &mut Checks) -> String {
    checks.line(reason, 200, field)
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
