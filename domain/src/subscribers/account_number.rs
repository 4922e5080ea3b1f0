//! Account numbers: what a subscriber reads out over the telephone and types as the reference of a payment. A check digit
//! refuses every single wrong digit and every swap of neighbours, so that a slip does not credit a stranger.

/// Numbers begin here, so that all are nine digits long and sort as text until ninety million are given out.
const FIRST: i64 = 10_000_000;

/// The totally anti-symmetric quasigroup of H. Michael Damm's dissertation (2004).
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// The account number of the `sequence`-th subscriber.
pub(super) fn account_number(sequence: i64) -> String {
    let digits = (FIRST + sequence).to_string();
    let check = damm(&digits);
    format!("{digits}{check}")
}

/// The check digit of a row of digits; zero when the row already ends in its check digit.
fn damm(digits: &str) -> u8 {
    digits
        .bytes()
        .fold(0, |interim, digit| DAMM[usize::from(interim)][usize::from(digit - b'0')])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Example of the algorithm's description.
    #[test]
    fn the_published_example() {
        assert_eq!(damm("572"), 4);
        assert_eq!(damm("5724"), 0);
    }

    #[test]
    fn numbers_are_short_digits_in_order() {
        let numbers: Vec<String> = [1, 2, 9, 10, 99_999, 89_999_999].into_iter().map(account_number).collect();
        assert!(numbers.is_sorted());
        assert!(
            numbers
                .iter()
                .all(|n| n.len() == 9 && n.bytes().all(|b| b.is_ascii_digit()) && damm(n) == 0)
        );
        assert!(account_number(90_000_000).len() <= 12);
    }

    #[test]
    fn slips_are_noticed() {
        for sequence in [1, 4711, 1_234_567] {
            let good = account_number(sequence).into_bytes();
            for at in 0..good.len() {
                for digit in (b'0'..=b'9').filter(|d| *d != good[at]) {
                    let mut wrong = good.clone();
                    wrong[at] = digit;
                    assert_ne!(damm(std::str::from_utf8(&wrong).unwrap()), 0);
                }
            }
            for at in 1..good.len() {
                let mut swapped = good.clone();
                swapped.swap(at - 1, at);
                assert!(swapped == good || damm(std::str::from_utf8(&swapped).unwrap()) != 0);
            }
        }
    }
}
