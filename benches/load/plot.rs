//! The plot: a bar a row, as a multiple of what it is compared with, and a mark at the goal.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Outcome;
use crate::report::{Report, Verdict, short};

const ROW: i32 = 30;
const LEFT: i32 = 330;
const WIDTH: i32 = 1000;
const TOP: i32 = 46;
/// Longer bars are cut off: one row that is far out must not flatten the others. The number beside it is whole.
const LONGEST: f64 = 6.0;
const MET: RGBColor = RGBColor(46, 125, 80);
const MISSED: RGBColor = RGBColor(178, 58, 46);

/// Draws the rows that are a multiple of something.
pub(crate) fn draw(report: &Report, path: &Path) -> Outcome {
    let bars: Vec<_> = report.rows.iter().filter_map(|row| Some((row, row.bar?))).collect();
    if bars.is_empty() {
        return Ok(());
    }
    let longest = bars.iter().map(|(_, (cost, goal))| cost.max(*goal)).fold(1.0, f64::max).min(LONGEST);
    let scale = f64::from(WIDTH - LEFT - 130) / longest;
    let at = |value: f64| LEFT + (value.min(longest) * scale) as i32;
    let height = TOP + ROW * i32::try_from(bars.len())? + 16;
    let mut file = String::new();
    {
        let area = SVGBackend::with_string(&mut file, (WIDTH as u32, height as u32)).into_drawing_area();
        area.fill(&WHITE)?;
        let font = |size: i32| ("sans-serif", size).into_font().color(&BLACK);
        let title =
            "CPU time a check, as a multiple of the null server's (scale: of the small table's); line: the goal";
        area.draw(&Text::new(title, (12, 14), font(15)))?;
        for (line, (row, (cost, goal))) in (0..).zip(&bars) {
            let (top, bottom) = (TOP + line * ROW, TOP + line * ROW + ROW - 10);
            let middle = (top + bottom) / 2;
            let colour = if row.verdict == Verdict::Met { MET } else { MISSED };
            let right = font(14).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(row.case.clone(), (LEFT - 10, middle), right))?;
            area.draw(&Rectangle::new([(LEFT, top), (at(*cost), bottom)], colour.filled()))?;
            let goal_line = [(at(*goal), top - 4), (at(*goal), bottom + 4)];
            area.draw(&PathElement::new(goal_line, BLACK.stroke_width(2)))?;
            let words = format!("{} (goal {})", short(*cost), short(*goal));
            let left = font(13).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(words, (at(cost.max(*goal)) + 8, middle), left))?;
        }
        area.draw(&PathElement::new([(LEFT, TOP - 6), (LEFT, height - 14)], BLACK.stroke_width(1)))?;
        area.present()?;
    }
    Ok(std::fs::write(path, file)?)
}
