use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn india() -> NumberRule {
    NumberRule {
        max_length: 16,
        symbols: "-/".to_owned(),
        not_first: "0-/".to_owned(),
        room_for: 9_999_999,
    }
}

fn month(month: u8) -> StartMonth {
    StartMonth::try_from(month).expect("a month")
}

fn year(date: &str, start: u8) -> FiscalYear {
    FiscalYear::of(date.parse().expect("a date"), month(start))
}

fn pattern(text: &str) -> NumberPattern {
    text.parse().expect("a pattern")
}

#[test]
fn fiscal_years() {
    for (date, start, label, starts_in) in [
        ("2026-03-31", 4, "25-26", 2025),
        ("2026-04-01", 4, "26-27", 2026),
        ("2099-12-31", 4, "99-00", 2099),
        ("2026-01-01", 1, "26", 2026),
        ("2026-12-31", 12, "26-27", 2026),
    ] {
        let year = year(date, start);
        assert_eq!((year.label().as_str(), year.starts_in()), (label, starts_in), "{date}");
    }
    assert!(StartMonth::try_from(0).is_err());
    assert!(StartMonth::try_from(13).is_err());
}

#[test]
fn numbers_are_rendered() {
    let year = year("2026-05-01", 4);
    for (text, expected) in [
        ("IN/{FY}/{SEQ:6}", "IN/26-27/000042"),
        ("{REG}-{YYYY}-{SEQ:1}", "KA-2026-42"),
        ("{SEQ:3}/{FY}", "042/26-27"),
    ] {
        assert_eq!(pattern(text).render(42, year, "KA"), expected);
        assert_eq!(pattern(text).to_string(), text);
    }
    assert_eq!(pattern("A{FY}{SEQ:2}").render(1_000, year, ""), "A26-271000");
}

#[test]
fn patterns_that_are_none() {
    for text in [
        "",
        "INV",
        "INV/{FY}",
        "{SEQ:6}",
        "{FY}{SEQ:6}{SEQ:6}",
        "{FY}{SEQ}",
        "{FY}{SEQ:0}",
        "{FY}{SEQ:10}",
        "{FY}{SEQ:+1}",
        "{fy}{SEQ:6}",
        "{FY{SEQ:6}",
        "FY}{FY}{SEQ:6}",
        "{FY}{SEQ:6",
        "{MM}{FY}{SEQ:6}",
    ] {
        assert!(text.parse::<NumberPattern>().is_err(), "{text}");
    }
}

#[test]
fn a_countrys_rule() {
    let check = |text: &str, codes: &[&str]| pattern(text).check(&india(), month(4), codes);
    assert_eq!(check("IN/{FY}/{SEQ:6}", &[]), Ok(()));
    assert_eq!(check("{REG}/{FY}/{SEQ:6}", &["KA", "MH"]), Ok(()));
    assert_eq!(check("{REG}/{FY}/{SEQ:6}", &["IN"]), Ok(()));
    assert_eq!(check("{REG}/{FY}/{SEQ:6}", &[]), Err(NumberingError::First('/')));
    assert_eq!(check("IN/{FY}/{SEQ:6}", &["KA", "MH"]), Err(NumberingError::Registration));
    assert_eq!(check("IN_{FY}/{SEQ:6}", &[]), Err(NumberingError::Character('_')));
    assert_eq!(check("इ/{FY}/{SEQ:6}", &[]), Err(NumberingError::Character('इ')));
    assert_eq!(check("/{FY}/{SEQ:6}", &[]), Err(NumberingError::First('/')));
    assert_eq!(check("{SEQ:6}/{FY}", &[]), Err(NumberingError::First('0')));
    // Sixteen characters today, seventeen from the millionth number on.
    assert_eq!(
        check("INV/{FY}/{SEQ:6}", &[]),
        Err(NumberingError::TooLong {
            sequence: 9_999_999,
            example: "INV/26-27/9999999".to_owned(),
            max: 16
        })
    );
    assert!(check("IN/{FY}/{SEQ:9}", &[]).is_err());
}

#[test]
fn patterns_whose_numbers_could_be_the_same() {
    let year = year("2026-05-01", 4);
    for (a, b, meet) in [
        ("INV/{FY}/{SEQ:6}", "INV/{FY}/{SEQ:6}", true),
        ("INV/{FY}/{SEQ:3}", "INV/{FY}/{SEQ:4}", true),
        ("INV/20{FY}/{SEQ:6}", "INV/{YYYY}-27/{SEQ:6}", true),
        ("{REG}/{FY}/{SEQ:6}", "KA/{FY}/{SEQ:6}", true),
        ("{REG}/{FY}/{SEQ:6}", "MH/{FY}/{SEQ:4}", true),
        ("{REG}/{FY}/{SEQ:6}", "TN/{FY}/{SEQ:6}", false),
        // The millionth of the one, and the first of the other.
        ("INV/{FY}/{SEQ:6}", "INV/{FY}/1{SEQ:6}", true),
        ("{YYYY}{SEQ:6}", "{SEQ:6}{YYYY}", true),
        ("A{YYYY}{SEQ:6}", "A2027{FY}{SEQ:6}", false),
        ("INV/{FY}/{SEQ:6}", "INV/{YYYY}/{SEQ:6}", false),
        ("IN/{FY}/{SEQ:6}", "CN/{FY}/{SEQ:6}", false),
        ("IN/{FY}/{SEQ:6}", "in/{FY}/{SEQ:6}", true),
        ("IN/{FY}/{SEQ:6}", "IN/{FY}/{SEQ:6}C", false),
    ] {
        assert_eq!(pattern(a).meets(&pattern(b), year, &["KA", "MH"]), meet, "{a} {b}");
        assert_eq!(pattern(b).meets(&pattern(a), year, &["KA", "MH"]), meet, "{b} {a}");
    }
}

proptest! {
    /// Whatever two patterns give, if they do not meet it is never the same.
    #[test]
    fn patterns_that_do_not_meet_never_give_the_same(
        first in "[AB]{0,1}(1|/){0,1}",
        second in "[AB]{0,1}(1|/){0,1}",
        shapes in (0..4_usize, 0..4_usize),
        widths in (1..4_usize, 1..4_usize),
        sequences in prop::collection::vec((1_u64..3_000, 1_u64..3_000), 30),
    ) {
        let made = |shape: usize, text: &str, width: usize| match shape {
            0 => format!("{text}{{YYYY}}{{SEQ:{width}}}"),
            1 => format!("{{YYYY}}{text}{{SEQ:{width}}}"),
            2 => format!("{{SEQ:{width}}}{text}{{FY}}"),
            _ => format!("{{REG}}{text}{{SEQ:{width}}}{{FY}}"),
        };
        let (a, b) = (pattern(&made(shapes.0, &first, widths.0)), pattern(&made(shapes.1, &second, widths.1)));
        let year = year("2026-05-01", 4);
        if !a.meets(&b, year, &["KA"]) {
            for (m, n) in sequences {
                prop_assert_ne!(a.render(m, year, "KA"), b.render(n, year, "KA"));
            }
        }
    }


    #[test]
    fn numbers_do_not_repeat(
        text in prop::sample::select(vec!["IN/{FY}/{SEQ:6}", "{REG}{YYYY}{SEQ:1}", "A{SEQ:1}{FY}"]),
        sequences in prop::collection::hash_set(1_u64..10_000_000, 1..20),
    ) {
        let dates = ["2025-04-01", "2026-03-31", "2026-04-01", "2027-03-31"];
        let years: HashSet<_> = dates.iter().map(|date| year(date, 4)).collect();
        let numbers: HashSet<_> = years.iter()
            .flat_map(|year| sequences.iter().map(|sequence| pattern(text).render(*sequence, *year, "KA")))
            .collect();
        prop_assert_eq!(numbers.len(), years.len() * sequences.len());
    }
}
