//! Results for people: tables of at most 80 columns, and bars.

use comfy_table::{CellAlignment, ContentArrangement, TableComponent};
use std::io::Write as _;

/// Rows under headings, the first column to the left and the others to the right.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    pub(crate) fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_header(headings);
        table
            .set_style(TableComponent::HeaderLines, '─')
            .set_style(TableComponent::MiddleHeaderIntersections, '─');
        table.set_content_arrangement(ContentArrangement::Disabled);
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((if at == 0 { 0 } else { 1 }, 0));
            if at > 0 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(table)
    }

    /// Sets column `at` to the left: for texts and bars.
    pub(crate) fn left(mut self, at: usize) -> Self {
        if let Some(column) = self.0.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Left);
        }
        self
    }

    pub(crate) fn row<T: Into<comfy_table::Cell>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(Into::into).collect::<Vec<comfy_table::Cell>>());
    }

    /// Each line without blanks at its end.
    pub(crate) fn render(&self) -> String {
        self.0.lines().fold(String::new(), |out, line| out + line.trim_end() + "\n")
    }
}

/// A bar of at most `width` columns for `value` of `most`, to an eighth of a column.
pub(crate) fn bar(value: f64, most: f64, width: usize) -> String {
    let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
    let eighths = (share * width as f64 * 8.0).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + rest
}

/// Prints on standard output, with colours where they are wanted.
pub(crate) fn print(text: &str) {
    let mut out = anstream::AutoStream::auto(std::io::stdout());
    // Whoever reads may have gone.
    _ = out.write_all(text.as_bytes());
    _ = out.flush();
}

/// `text` in at most `width` columns: the middle is left out.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if chars.len() <= width {
        return chars.into_iter().collect();
    }
    let keep = width - 3;
    let (head, tail) = (keep / 3, keep - keep / 3);
    chars[..head].iter().chain(&['.'; 3]).chain(&chars[chars.len() - tail..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up_and_ends_without_blanks() {
        let mut table = Table::new(["policy", "mean", "load"]).left(2);
        table.row(["round-robin", "5.2 ms", "██"]);
        table.row(["p2c", "12.65 ms", "█"]);
        assert_eq!(
            table.render(),
            "policy           mean  load\n───────────────────────────\nround-robin    5.2 ms  ██\np2c          12.65 ms  █\n"
        );
    }

    #[test]
    fn bars_are_proportional_to_an_eighth() {
        assert_eq!(bar(1.0, 2.0, 3), "█▌");
        assert_eq!(
            (bar(5.0, 2.0, 3).as_str(), bar(0.0, 2.0, 3).as_str(), bar(1.0, 0.0, 3).as_str()),
            ("███", "", "")
        );
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("abcdefghijkl", 9), "ab...ijkl");
        assert_eq!(shorten("a\nb", 9), "a?b");
    }
}
