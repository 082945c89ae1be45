//! Plain tables.

/// The rows below each other, every column as wide as its widest cell, two blanks between, each line indented by two.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += "  ";
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_each_other() {
        let rows = [["PORT", "DRIVER", ""], ["ttyS0", "", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "  PORT   DRIVER\n  ttyS0          x\n");
    }
}
