//! Figures: measured once, printed at once.

use serde::Serialize;

/// One figure.
#[derive(Serialize)]
pub(crate) struct Figure {
    #[serde(rename = "figure")]
    name: String,
    value: f64,
    unit: &'static str,
    /// The same of stock cqrs-es and postgres-es, where there is such a thing.
    baseline: Option<f64>,
    /// Value to baseline.
    ratio: Option<f64>,
    #[serde(skip)]
    aim: &'static str,
}

/// Prints figures as they come.
pub(crate) struct Figures {
    json: bool,
    only: String,
}

impl Figures {
    /// Prints tables for people, or JSON lines for programs; only figures that begin with `only`.
    pub(crate) fn new(json: bool, only: &str) -> Self {
        if !json {
            println!("{:<26} {:>12} {:>12} {:>8}  aim", "figure", "value", "baseline", "ratio");
        }
        Self { json, only: only.to_owned() }
    }

    /// Whether any figure that begins like this is asked for.
    pub(crate) fn wants(&self, prefix: &str) -> bool {
        self.only.starts_with(prefix) || prefix.starts_with(&self.only)
    }

    /// A figure beside its baseline.
    pub(crate) fn compared(
        &mut self,
        name: &str,
        value: f64,
        unit: &'static str,
        baseline: f64,
        aim: &'static str,
    ) {
        let ratio = Some(value / baseline);
        self.print(&Figure {
            name: name.to_owned(),
            value,
            unit,
            baseline: Some(baseline),
            ratio,
            aim,
        });
    }

    /// A figure that stands alone.
    pub(crate) fn alone(&mut self, name: &str, value: f64, unit: &'static str, aim: &'static str) {
        let name = name.to_owned();
        self.print(&Figure { name, value, unit, baseline: None, ratio: None, aim });
    }

    fn print(&mut self, figure: &Figure) {
        if !figure.name.starts_with(&self.only) {
            return;
        }
        if self.json {
            if let Ok(line) = serde_json::to_string(figure) {
                println!("{line}");
            }
            return;
        }
        let optional = |number: Option<f64>| {
            number.map_or_else(|| "—".to_owned(), |number| format!("{number:.2}"))
        };
        println!(
            "{:<26} {:>12} {:>12} {:>8}  {}",
            figure.name,
            format!("{:.2} {}", figure.value, figure.unit),
            optional(figure.baseline),
            optional(figure.ratio),
            figure.aim,
        );
    }
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that `share` of the measurements do not exceed.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    // An index into what is in memory.
    let index = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
