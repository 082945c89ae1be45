//! `value * factor + offset`, as a person would compute it.

/// A linear function.
///
/// Nobody's 0.1 is the float nearest to it: 19 * 0.1 is 1.9000000000000001. Where the factor is one divided by a whole number
/// (0.1, 0.01, 0.125 ...), dividing by that number instead gives the float nearest to the true result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Linear {
    /// The factor, or what divides instead of it.
    by: By,
    offset: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Factor(f64),
    Divisor(f64),
}

impl Linear {
    /// The function with that factor and offset.
    #[expect(clippy::float_cmp, reason = "a divisor is as good as the factor only where both are exactly each other's")]
    pub(super) fn new(factor: f64, offset: f64) -> Self {
        let divisor = (1.0 / factor).round();
        let is_exact = factor.abs() < 1.0 && divisor.is_finite() && 1.0 / divisor == factor;
        Self { by: if is_exact { By::Divisor(divisor) } else { By::Factor(factor) }, offset }
    }

    /// Its value at `value`.
    pub(super) fn apply(&self, value: f64) -> f64 {
        let scaled = match self.by {
            By::Factor(factor) => value * factor,
            By::Divisor(divisor) => value / divisor,
        };
        scaled + self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_factor_gives_the_decimal_that_a_person_expects() {
        for (factor, counts, expected) in [
            (0.1, 19.0, "1.9"),
            (-0.1, 19.0, "-1.9"),
            (0.01, 2_307.0, "23.07"),
            (1e-7, 481_351_253.0, "48.1351253"),
            (0.125, 3.0, "0.375"),
            (2.5, 3.0, "7.5"),
            (0.3, 10.0, "3"),
            (0.0, 5.0, "0"),
        ] {
            assert_eq!(Linear::new(factor, 0.0).apply(counts).to_string(), expected, "{counts} * {factor}");
        }
        assert_eq!(Linear::new(0.5, -40.0).apply(61.0), -9.5);
        assert!(Linear::new(0.1, 0.0).apply(f64::NAN).is_nan());
        assert_eq!(Linear::new(f64::MIN_POSITIVE, 1.0).apply(0.0), 1.0);
    }
}
