//! The statistics of `$stats`, over numbers in one unit. <https://hl7.org/fhir/R4/valueset-observation-statistics.html>

pub const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/observation-statistics";

/// Every code with its display.
pub const CODES: &[(&str, &str)] = &[
    ("average", "Average"),
    ("maximum", "Maximum"),
    ("minimum", "Minimum"),
    ("count", "Count"),
    ("total-count", "Total Count"),
    ("median", "Median"),
    ("std-dev", "Standard Deviation"),
    ("sum", "Sum"),
    ("variance", "Variance"),
    ("20-percent", "20th Percentile"),
    ("80-percent", "80th Percentile"),
    ("4-lower", "Lower Quartile"),
    ("4-upper", "Upper Quartile"),
    ("4-dev", "Quartile Deviation"),
    ("5-1", "1st Quintile"),
    ("5-2", "2nd Quintile"),
    ("5-3", "3rd Quintile"),
    ("5-4", "4th Quintile"),
    ("skew", "Skew"),
    ("kurtosis", "Kurtosis"),
    ("regression", "Regression"),
];

/// What the value of a statistic is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum In {
    Unit,
    UnitSquared,
    UnitPerDay,
    Number,
}

/// One value of a statistic; `part` says which, where there are two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    pub part: Option<&'static str>,
    /// `None`: so few measurements have none.
    pub value: Option<f64>,
    pub unit: In,
}

/// The measurements that count, each with its time (days from any start), and how many there were in all.
#[derive(Debug, Default)]
pub struct Measured {
    pub values: Vec<f64>,
    /// As many as values; a measurement without a time is not part of a regression.
    pub days: Vec<Option<f64>>,
    pub total: usize,
}

impl Measured {
    /// The statistic of a code that [`CODES`] has.
    pub fn tell(&self, code: &str) -> Vec<Told> {
        let one = |value, unit| vec![Told { part: None, value, unit }];
        #[allow(clippy::cast_precision_loss)] // There are at most some ten thousand.
        let number = |count: usize| one(Some(count as f64), In::Number);
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        match code {
            "average" => one(self.mean(), In::Unit),
            "maximum" => one(sorted.last().copied(), In::Unit),
            "minimum" => one(sorted.first().copied(), In::Unit),
            "count" => number(self.values.len()),
            "total-count" => number(self.total),
            "median" => one(percentile(&sorted, 0.5), In::Unit),
            "std-dev" => one(self.variance().map(f64::sqrt), In::Unit),
            "sum" => one((!sorted.is_empty()).then(|| self.values.iter().sum()), In::Unit),
            "variance" => one(self.variance(), In::UnitSquared),
            "20-percent" | "5-1" => one(percentile(&sorted, 0.2), In::Unit),
            "80-percent" | "5-4" => one(percentile(&sorted, 0.8), In::Unit),
            "5-2" => one(percentile(&sorted, 0.4), In::Unit),
            "5-3" => one(percentile(&sorted, 0.6), In::Unit),
            "4-lower" => one(percentile(&sorted, 0.25), In::Unit),
            "4-upper" => one(percentile(&sorted, 0.75), In::Unit),
            "4-dev" => {
                let ends = percentile(&sorted, 0.25).zip(percentile(&sorted, 0.75));
                one(ends.map(|(lower, upper)| (upper - lower) / 2.0), In::Unit)
            }
            "skew" => one(self.moment(3, 1.5), In::Number),
            "kurtosis" => one(self.moment(4, 2.0), In::Number),
            _ => self.regression(),
        }
    }

    fn mean(&self) -> Option<f64> {
        mean(self.values.iter().copied())
    }

    /// Of a sample: divided by one less than there are.
    fn variance(&self) -> Option<f64> {
        let (mean, count) = (self.mean()?, self.values.len());
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        #[allow(clippy::cast_precision_loss)]
        (count > 1).then(|| squares / (count as f64 - 1.0))
    }

    /// A central moment over a power of the second one, both divided by how many there are.
    fn moment(&self, order: i32, power: f64) -> Option<f64> {
        let mean_of_all = self.mean()?;
        let central = |order| mean(self.values.iter().map(|value| (value - mean_of_all).powi(order)));
        let spread = central(2)?;
        (spread > 0.0).then(|| central(order).map(|moment| moment / spread.powf(power))).flatten()
    }

    /// The line of least squares through the measurements over their days.
    fn regression(&self) -> Vec<Told> {
        let points: Vec<(f64, f64)> =
            self.days.iter().zip(&self.values).filter_map(|(day, value)| Some(((*day)?, *value))).collect();
        let line = || {
            let (x, y) = (mean(points.iter().map(|point| point.0))?, mean(points.iter().map(|point| point.1))?);
            let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
            let joint: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
            (spread > 0.0).then(|| (joint / spread, y - joint / spread * x))
        };
        let (gradient, intercept) = line().unzip();
        let told = |part, value, unit| Told { part: Some(part), value, unit };
        vec![told("gradient", gradient, In::UnitPerDay), told("intercept", intercept, In::Unit)]
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    (count > 0.0).then(|| sum / count)
}

/// Between two measurements on the straight line between them.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)]
    let place = share * (sorted.len().checked_sub(1)? as f64);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // From 0 to the length.
    let below = place.floor() as usize;
    let low = *sorted.get(below)?;
    let high = *sorted.get(below + 1).unwrap_or(&low);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[f64], code: &str) -> Option<f64> {
        let days = (0..values.len()).map(|day| Some(day as f64)).collect();
        let measured = Measured { values: values.to_vec(), days, total: values.len() + 1 };
        measured.tell(code)[0].value.map(|value| (value * 1e9).round() / 1e9)
    }

    #[test]
    fn each_statistic_is_what_a_reader_reckons() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        for (code, expected) in [
            ("average", 5.0),
            ("maximum", 9.0),
            ("minimum", 2.0),
            ("count", 8.0),
            ("total-count", 9.0),
            ("median", 4.5),
            ("sum", 40.0),
            ("variance", 4.571_428_571),
            ("std-dev", 2.138_089_935),
            ("20-percent", 4.0),
            ("80-percent", 6.2),
            ("4-lower", 4.0),
            ("4-upper", 5.5),
            ("4-dev", 0.75),
            ("5-1", 4.0),
            ("5-2", 4.0),
            ("5-3", 5.0),
            ("5-4", 6.2),
            ("skew", 0.65625),
            ("kurtosis", 2.78125),
            ("regression", 0.809_523_81),
        ] {
            assert_eq!(told(&values, code), Some(expected), "{code}");
        }
    }

    #[test]
    fn of_too_few_there_is_no_statistic() {
        for (code, _) in CODES {
            let of_none = told(&[], code);
            assert_eq!(of_none.is_some(), code.ends_with("count"), "{code}");
        }
        for code in ["variance", "std-dev", "skew", "kurtosis", "regression"] {
            assert_eq!(told(&[3.0], code), None, "{code}");
        }
        assert_eq!(told(&[3.0], "5-4"), Some(3.0));
    }
}
