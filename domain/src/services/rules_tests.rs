use chrono::DateTime;
use proptest::prelude::*;

use super::super::entity::{Suspension, SuspensionCause};
use super::*;

fn suspended(cause: SuspensionCause) -> ServiceState {
    ServiceState::Suspended(Suspension {
        cause,
        since: DateTime::UNIX_EPOCH,
        reason: None,
    })
}

fn all() -> [ServiceState; 8] {
    [
        ServiceState::Pending,
        ServiceState::Active,
        ServiceState::Grace,
        suspended(SuspensionCause::Arrears),
        suspended(SuspensionCause::Expired),
        suspended(SuspensionCause::Staff),
        suspended(SuspensionCause::Subscriber),
        ServiceState::Terminated,
    ]
}

/// Rows: from; columns: to, both in the order of `all`. Written apart from the table that it checks.
const EXPECTED: [&str; 8] = [
    ". A . . . . . T", // PENDING
    ". . G R E S U T", // ACTIVE
    ". A . R E S U T", // GRACE
    ". A G R E S U T", // ARREARS
    ". A G R E S U T", // EXPIRED
    ". A G R E . . T", // STAFF
    ". A G R E S . T", // SUBSCRIBER
    ". . . . . . . .", // TERMINATED
];

#[test]
fn every_pair_of_states_is_as_expected() {
    for (from, row) in all().iter().zip(EXPECTED) {
        for (to, mark) in all().iter().zip(row.split(' ')) {
            assert_eq!(from.may_become(to), mark != ".", "{from} -> {to}");
        }
    }
}

#[test]
fn a_refusal_names_both_states() {
    let refusal = ServiceState::Terminated.check_becomes(&ServiceState::Active);
    let Err(Error::User(errors)) = refusal else {
        panic!("{refusal:?}")
    };
    assert_eq!(errors[0].code, ErrorCode::InvalidState);
    assert!(errors[0].message.contains("TERMINATED") && errors[0].message.contains("ACTIVE"));
}

proptest! {
    /// However a service is driven, the end is the end and nothing becomes pending again.
    #[test]
    fn nothing_leaves_the_end_or_returns_to_the_beginning(steps in proptest::collection::vec(0..8_usize, 1..60)) {
        let mut state = ServiceState::Pending;
        let mut terminated = false;
        for step in steps {
            let next = all()[step].clone();
            if state.check_becomes(&next).is_ok() {
                prop_assert!(!terminated);
                prop_assert_ne!(&next, &ServiceState::Pending);
                terminated = next == ServiceState::Terminated;
                state = next;
            }
        }
    }

    #[test]
    fn user_names_never_hold_what_breaks_a_router(name in "\\PC{0,70}") {
        if is_username(&name) {
            prop_assert!(name.is_ascii() && name.len() <= 64);
            let breaks = name.contains([' ', '"', '\'', '\\', '%', '$', '{', '}', '`', ',', ';']);
            prop_assert!(!breaks);
        }
    }
}

fn login(access: bool, username: Option<&str>, password: Option<&str>) -> Vec<(String, ErrorCode)> {
    let mut checks = Checks::new();
    check_login(access, username, password, &mut checks);
    match checks.done() {
        Err(Error::User(errors)) => errors.into_iter().map(|e| (e.field.join("."), e.code)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_plan_with_network_access_needs_a_login_and_an_addon_refuses_one() {
    let name = || ("username".to_owned(), ErrorCode::Required);
    let word = || ("password".to_owned(), ErrorCode::Required);
    assert_eq!(login(true, Some("asha.rao@fibre"), Some("correct horse")), []);
    assert_eq!(login(true, None, None), [name(), word()]);
    assert_eq!(login(true, Some(""), Some("")), [name(), word()]);
    assert_eq!(login(false, None, None), []);
    assert_eq!(
        login(false, Some("asha"), Some("secret1")),
        [
            ("username".into(), ErrorCode::Invalid),
            ("password".into(), ErrorCode::Invalid)
        ]
    );
}

#[test]
fn user_names_and_passwords_have_a_form() {
    let long = "a".repeat(64);
    for good in [
        "a",
        "asha",
        "Asha.Rao@isp",
        "00:1A:2b:3c:4D:5e",
        "+254712345678",
        "olt-1/2/3#7",
        &long,
    ] {
        assert_eq!(login(true, Some(good), Some("secret")), [], "{good}");
    }
    let longer = "a".repeat(65);
    for bad in [
        " asha",
        "asha ",
        "a b",
        "a\tb",
        "a\0b",
        "ünal",
        "a'b",
        "a\"b",
        "%{User-Name}",
        "a\\b",
        &longer,
    ] {
        assert_eq!(
            login(true, Some(bad), Some("secret")),
            [("username".into(), ErrorCode::Invalid)],
            "{bad:?}"
        );
    }
    let longest = "x".repeat(128);
    for good in ["123456", "a b\"c'd\\", &longest] {
        assert_eq!(login(true, Some("a"), Some(good)), [], "{good}");
    }
    let too_long = "x".repeat(129);
    for bad in ["12345", "123456\n", "pässword", "\0\0\0\0\0\0", &too_long] {
        assert_eq!(
            login(true, Some("a"), Some(bad)),
            [("password".into(), ErrorCode::Invalid)],
            "{bad:?}"
        );
    }
}
