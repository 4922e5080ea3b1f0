//! Medians with their spread.

/// The median of several rounds, with the lowest and the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            return Self::default();
        };
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Self {
            median,
            low: *low,
            high: *high,
        }
    }

    /// `1234 (1200–1290)`.
    pub fn show(&self, decimals: usize) -> String {
        format!(
            "{:.decimals$} ({:.decimals$}–{:.decimals$})",
            self.median, self.low, self.high
        )
    }
}

/// The value below which the share `q` of the values lies; sorts them.
pub fn quantile(values: &mut [u32], q: f64) -> f64 {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * q).round() as usize;
    values.get(at).map_or(0.0, |v| f64::from(*v))
}

/// Cumulative weights of ranks 1 to `n`, where rank k weighs 1/k^s: what pgbench's `random_zipfian` draws from.
pub fn zipf(n: u32, s: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let mut out: Vec<f64> = (1..=n)
        .map(|k| {
            sum += f64::from(k).powf(-s);
            sum
        })
        .collect();
    out.iter_mut().for_each(|w| *w /= sum);
    out
}

/// The rank (1 to n) at which a number between 0 and 1 falls.
pub fn rank(cumulative: &[f64], at: f64) -> u32 {
    let below = cumulative.partition_point(|w| *w < at);
    (below.min(cumulative.len().saturating_sub(1)) + 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_many() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).high, 3.0);
    }

    #[test]
    fn quantiles_of_the_ends() {
        let mut values = [5, 1, 4, 2, 3];
        assert_eq!(quantile(&mut values, 0.0), 1.0);
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 1.0), 5.0);
    }

    #[test]
    fn the_first_rank_of_two_weighs_twice_the_second() {
        let weights = zipf(2, 1.0);
        assert_eq!((rank(&weights, 0.66), rank(&weights, 0.67), rank(&weights, 1.0)), (1, 2, 2));
    }
}
