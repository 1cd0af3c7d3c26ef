//! A figure, its bound, and how both are printed.

use std::fmt::Write;

/// One line of the scoreboard.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What was measured, and of what.
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) bound: Bound,
    /// Where the bound comes from.
    pub(crate) source: &'static str,
}

/// What a figure must keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    Exactly(f64),
    /// The middle, and how far from it to either side.
    Within(f64, f64),
    /// No bound: shown for comparison.
    None,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, bound: Bound, source: &'static str) -> Self {
        Self { name: name.into(), value, bound, source }
    }

    /// A figure that is no number never holds.
    pub(crate) fn holds(&self) -> bool {
        self.value.is_finite()
            && match self.bound {
                Bound::AtMost(most) => self.value <= most,
                Bound::Exactly(expected) => self.value == expected,
                Bound::Within(middle, distance) => (self.value - middle).abs() <= distance,
                Bound::None => true,
            }
    }

    fn verdict(&self) -> &'static str {
        match (self.holds(), self.bound) {
            (false, _) => "**BROKEN**",
            (true, Bound::None) => "",
            (true, _) => "ok",
        }
    }
}

impl Bound {
    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {}", number(most)),
            Self::Exactly(expected) => format!("= {}", number(expected)),
            Self::Within(middle, distance) => format!("{} ± {}", number(middle), number(distance)),
            Self::None => String::new(),
        }
    }
}

/// Whole numbers without a fraction, others with four digits of it.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.4}") }
}

pub(crate) fn table(figures: &[Figure]) -> String {
    let mut table =
        String::from("| figure | value | bound | | source of the bound |\n|---|---:|---:|---|---|\n");
    for figure in figures {
        let Figure { name, value, bound, source } = figure;
        let (value, bound, verdict) = (number(*value), bound.text(), figure.verdict());
        writeln!(table, "| {name} | {value} | {bound} | {verdict} | {source} |")
            .expect("a string takes everything");
    }
    table
}

pub(crate) fn json(figures: &[Figure]) -> serde_json::Value {
    let figures: Vec<_> = figures
        .iter()
        .map(|figure| {
            serde_json::json!({
                "figure": figure.name,
                "value": figure.value,
                "bound": figure.bound.text(),
                "source": figure.source,
                "holds": figure.holds(),
            })
        })
        .collect();
    serde_json::json!({ "figures": figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_beyond_its_bound_is_broken() {
        let holds = |value, bound| Figure::new("", value, bound, "").holds();
        assert!(holds(2.0, Bound::AtMost(2.0)) && !holds(2.1, Bound::AtMost(2.0)));
        assert!(holds(1.0, Bound::Exactly(1.0)) && !holds(0.0, Bound::Exactly(1.0)));
        assert!(holds(0.4, Bound::Within(0.5, 0.1)) && !holds(0.65, Bound::Within(0.5, 0.1)));
        assert!(!holds(f64::NAN, Bound::None) && !holds(f64::INFINITY, Bound::None));
    }

    #[test]
    fn a_broken_bound_shows_in_the_table_and_in_json() {
        let figures = [Figure::new("wake-ups", 2.0, Bound::Exactly(1.0), "the docs")];
        assert!(table(&figures).ends_with("| wake-ups | 2 | = 1 | **BROKEN** | the docs |\n"));
        assert_eq!(json(&figures)["figures"][0]["holds"], false);
    }
}
