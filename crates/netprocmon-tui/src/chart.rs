//! Charts of characters: an area of braille dots with its scale, a line of blocks, a bar.
//!
//! Two samples a column and four dots a row, the newest at the right edge. The top of the scale is
//! a round number, so that it changes rarely. ratatui's own chart draws lines between points in
//! floating coordinates; an area with one column a sample is less than that and says more.

use netprocmon::units::{Prefix, Quantity, Units};

use crate::glyphs::Glyphs;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Sent,
    Recv,
}

/// Dots of a cell's left and right column, from the bottom up (Unicode, Braille Patterns).
const LEFT: [u32; 4] = [0x40, 0x04, 0x02, 0x01];
const RIGHT: [u32; 4] = [0x80, 0x20, 0x10, 0x08];
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const MARKS: [char; 5] = [' ', '.', ':', '|', '#'];
const PARTS: [char; 8] = ['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// Samples that an area of this many columns shows.
pub(crate) const fn samples(glyphs: Glyphs, columns: usize) -> usize {
    match glyphs {
        Glyphs::Unicode => columns * 2,
        Glyphs::Plain => columns,
    }
}

/// The top of the scale for values up to `most` bytes a second: 1, 2 or 5 times a power of the
/// unit that is shown, at least a thousand of it.
#[allow(clippy::cast_possible_truncation)] // a logarithm is small
pub(crate) fn ceiling(most: f64, units: Units) -> f64 {
    let bits = match units.quantity {
        Quantity::Bytes => 1.0,
        Quantity::Bits => 8.0,
    };
    let base: f64 = match units.prefix {
        Prefix::Iec => 1024.0,
        Prefix::Si => 1000.0,
    };
    let wanted = (most * bits).max(base);
    let power = base.powi((wanted.ln() / base.ln() + 1e-9).floor() as i32);
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, base];
    let mut tops = steps.iter().map(|step| step * power);
    tops.find(|top| *top >= wanted).unwrap_or(power * base) / bits
}

/// `rows` lines of `columns` characters, the top one first, for values from the oldest to the
/// newest.
pub(crate) fn area(
    values: &[f64],
    columns: usize,
    rows: usize,
    top: f64,
    glyphs: Glyphs,
) -> Vec<String> {
    let steps = match glyphs {
        Glyphs::Unicode => 4,
        Glyphs::Plain => MARKS.len() - 1,
    };
    let heights: Vec<usize> = values
        .iter()
        .map(|value| height(*value, top, rows * steps))
        .collect();
    let wide = samples(glyphs, columns);
    let skipped = heights.len().saturating_sub(wide);
    let missing = wide.saturating_sub(heights.len());
    let shown: Vec<usize> = std::iter::repeat_n(0, missing)
        .chain(heights[skipped..].iter().copied())
        .collect();
    (0..rows)
        .map(|row| {
            let below = (rows - 1 - row) * steps;
            let cut = |height: usize| height.saturating_sub(below).min(steps);
            match glyphs {
                Glyphs::Unicode => shown
                    .chunks(2)
                    .map(|pair| braille(cut(pair[0]), cut(pair.get(1).copied().unwrap_or(0))))
                    .collect(),
                Glyphs::Plain => shown.iter().map(|height| MARKS[cut(*height)]).collect(),
            }
        })
        .collect()
}

/// One line, a sample a character, in parts of `top`.
pub(crate) fn line(values: impl Iterator<Item = f64>, top: f64, glyphs: Glyphs) -> String {
    let steps: &[char] = match glyphs {
        Glyphs::Unicode => &BLOCKS,
        Glyphs::Plain => &MARKS,
    };
    values
        .map(|value| steps[height(value, top, steps.len() - 1)])
        .collect()
}

/// A bar of `columns` for a share from 0 to 1, not padded.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)]
pub(crate) fn bar(share: f64, columns: usize, glyphs: Glyphs) -> String {
    let share = share.clamp(0.0, 1.0);
    match glyphs {
        Glyphs::Unicode => {
            let eighths = (share * columns as f64 * 8.0).round() as usize;
            let mut bar = "█".repeat(eighths / 8);
            if !eighths.is_multiple_of(8) {
                bar.push(PARTS[eighths % 8]);
            }
            bar
        }
        Glyphs::Plain => "#".repeat((share * columns as f64).round() as usize),
    }
}

/// Steps of `most` for a value; anything above zero has one.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)]
fn height(value: f64, top: f64, most: usize) -> usize {
    if value.is_nan() || value <= 0.0 || top <= 0.0 {
        return 0;
    }
    ((value / top * most as f64).round() as usize).clamp(1, most)
}

fn braille(left: usize, right: usize) -> char {
    let dots: u32 = LEFT[..left].iter().chain(&RIGHT[..right]).sum();
    if dots == 0 {
        return ' ';
    }
    char::from_u32(0x2800 + dots).unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_at_the_right_and_what_is_not_there_is_blank() {
        assert_eq!(area(&[4.0], 3, 1, 4.0, Glyphs::Unicode), ["  ⢸"]);
        assert_eq!(area(&[4.0, 1.0], 2, 2, 4.0, Glyphs::Unicode), [" ⡇", " ⣧"]);
        assert_eq!(
            area(&[9.0, 9.0, 0.0, 2.0], 2, 1, 4.0, Glyphs::Plain),
            [" :"]
        );
    }

    #[test]
    fn a_little_is_seen_and_too_much_is_cut() {
        assert_eq!(
            line([0.0, 0.001, 1.0, 9.0].into_iter(), 1.0, Glyphs::Unicode),
            " ▁██"
        );
        assert_eq!(line([f64::NAN, 1.0].into_iter(), 0.0, Glyphs::Plain), "  ");
        assert_eq!(bar(0.5, 3, Glyphs::Unicode), "█▌");
        assert_eq!(bar(7.0, 3, Glyphs::Plain), "###");
        assert_eq!(bar(-1.0, 3, Glyphs::Plain), "");
    }

    #[test]
    fn the_top_of_the_scale_is_round() {
        let units = Units::default();
        for (most, top) in [
            (0.0, 1024.0),
            (1025.0, 2048.0),
            (900.0 * 1024.0, 1024.0 * 1024.0),
            (6.0 * 1024.0 * 1024.0, 10.0 * 1024.0 * 1024.0),
        ] {
            assert!((ceiling(most, units) - top).abs() < 1e-3, "{most}");
        }
        let bits = Units {
            prefix: Prefix::Si,
            quantity: Quantity::Bits,
            ..units
        };
        assert!((ceiling(125_000.0, bits) - 125_000.0).abs() < 1e-3);
        assert!((ceiling(126_000.0, bits) - 250_000.0).abs() < 1e-3);
    }
}
