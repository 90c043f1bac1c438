//! Repeated measurements of one thing: the median, and how far they were apart.

/// Figures of one kind, at least one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample(Vec<f64>);

impl Sample {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a figure; what is no number is left out.
    pub(super) fn add(&mut self, figure: f64) {
        if figure.is_finite() {
            self.0.push(figure);
        }
    }

    /// The middle one; 0 when there is none.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match (sorted.len() % 2, sorted.get(middle)) {
            (_, None) => 0.0,
            (1, Some(one)) => *one,
            (_, Some(one)) => f64::midpoint(sorted[middle - 1], *one),
        }
    }

    pub(super) fn least(&self) -> f64 {
        self.0.iter().copied().reduce(f64::min).unwrap_or(0.0)
    }

    pub(super) fn most(&self) -> f64 {
        self.0.iter().copied().reduce(f64::max).unwrap_or(0.0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<T: IntoIterator<Item = f64>>(figures: T) -> Self {
        let mut sample = Self::new();
        figures.into_iter().for_each(|figure| sample.add(figure));
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_what_is_no_number_is_left_out() {
        let odd: Sample = [9.0, 1.0, f64::NAN, 4.0].into_iter().collect();
        assert_eq!((odd.len(), odd.median()), (3, 4.0));
        assert_eq!((odd.least(), odd.most()), (1.0, 9.0));
        let even: Sample = [1.0, 2.0, 10.0, 3.0].into_iter().collect();
        assert!((even.median() - 2.5).abs() < 1e-9);
        assert!(Sample::new().median().abs() < 1e-9);
    }
}
