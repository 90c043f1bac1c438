//! What the live view is to begin with: the command line over the environment over the file over
//! what is usual.

use std::time::Duration;

use netprocmon::units::{Ends, Prefix, Quantity, Units};
use netprocmon::{Capacity, GroupBy, Pid, SourceChoice};
use netprocmon_tui::settings::{Flow, Mouse};
use netprocmon_tui::{Glyphs, Palette, Settings, Theme};

use super::Remotes;
use crate::flags::typed::{self, Characters, ThemeName};

/// A live view.
#[derive(Clone, Debug)]
pub(crate) struct TopPlan {
    pub(crate) pids: Vec<Pid>,
    pub(crate) names: Vec<String>,
    pub(crate) interfaces: Vec<String>,
    pub(crate) interval: Duration,
    pub(crate) source: SourceChoice,
    pub(crate) remotes: Remotes,
    pub(crate) capacity: Capacity,
    pub(crate) settings: Settings,
}

impl TopPlan {
    /// `typed` has the environment in it already; `file` is what the file says.
    pub(crate) fn new(
        typed: typed::Top,
        file: typed::Top,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let usual = Settings::default();
        let (pids, names) = super::targets(typed.process);
        let is = |typed: Option<bool>, file: Option<bool>| typed.or(file).unwrap_or(false);
        let by = typed.group_by.or(file.group_by);
        let settings = Settings {
            view: typed.view.or(file.view).unwrap_or(usual.view),
            sort: typed.sort.or(file.sort),
            filter: typed.filter.or(file.filter).unwrap_or_default(),
            group_by: by.filter(|by| *by != GroupBy::Process),
            units: Units {
                prefix: if is(typed.si, file.si) {
                    Prefix::Si
                } else {
                    Prefix::Iec
                },
                quantity: if is(typed.bits, file.bits) {
                    Quantity::Bits
                } else {
                    Quantity::Bytes
                },
                ends: if is(typed.numeric, file.numeric) {
                    Ends::Numeric
                } else {
                    Ends::Named
                },
            },
            flow: if is(typed.payload, file.payload) {
                Flow::Payload
            } else {
                Flow::Wire
            },
            theme: theme(typed.theme, file.theme, &variable),
            glyphs: match typed.characters.or(file.characters).unwrap_or_default() {
                Characters::Auto => Glyphs::of_locale(&variable),
                Characters::Unicode => Glyphs::Unicode,
                Characters::Plain => Glyphs::Plain,
            },
            mouse: if typed.mouse.or(file.mouse) == Some(false) {
                Mouse::Off
            } else {
                Mouse::On
            },
            keep_ended: typed
                .keep_ended
                .or(file.keep_ended)
                .unwrap_or(usual.keep_ended),
            ..usual
        };
        let interfaces = if typed.interface.is_empty() {
            file.interface
        } else {
            typed.interface
        };
        Self {
            pids,
            names,
            interfaces,
            interval: typed.delay.or(file.delay).unwrap_or(Duration::from_secs(1)),
            source: typed.source.unwrap_or_default(),
            remotes: typed.remotes.into(),
            capacity: typed.tables.into(),
            settings,
        }
    }
}

/// What was typed counts before `NO_COLOR`, which counts before the file (no-color.org).
fn theme(
    typed: Option<ThemeName>,
    file: Option<ThemeName>,
    variable: impl Fn(&str) -> Option<String>,
) -> Theme {
    let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let forbidden = set("NO_COLOR") || variable("TERM").is_some_and(|term| term == "dumb");
    let palette = Palette::of_terminal(&variable);
    let name = match typed {
        None | Some(ThemeName::Auto) if forbidden => ThemeName::None,
        typed => typed.or(file).unwrap_or_default(),
    };
    match name {
        ThemeName::None => Theme::none(),
        ThemeName::Light => Theme::light(palette),
        ThemeName::Auto if is_light(variable("COLORFGBG").as_deref()) => Theme::light(palette),
        ThemeName::Dark | ThemeName::Auto => Theme::dark(palette),
    }
}

/// `COLORFGBG` (rxvt, Konsole and others): foreground, maybe more, background, as numbers of the 16
/// colours; 7 and those above 8 are light.
fn is_light(variable: Option<&str>) -> bool {
    let background = variable.and_then(|value| value.rsplit(';').next());
    let background = background.and_then(|number| number.parse::<u8>().ok());
    background.is_some_and(|number| number == 7 || (9..16).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(typed: typed::Top, file: typed::Top, variables: &[(&str, &str)]) -> TopPlan {
        TopPlan::new(typed, file, |name| {
            let mut all = variables.iter();
            all.find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_was_typed_goes_before_the_file() {
        let typed = typed::Top {
            bits: Some(false),
            delay: Some(Duration::from_secs(5)),
            process: vec!["7".into(), "curl".into()],
            ..typed::Top::default()
        };
        let file = typed::Top {
            bits: Some(true),
            si: Some(true),
            delay: Some(Duration::from_secs(2)),
            ..typed::Top::default()
        };
        let plan = plan(typed, file, &[]);
        assert_eq!(plan.interval, Duration::from_secs(5));
        assert_eq!(plan.settings.units.quantity, Quantity::Bytes);
        assert_eq!(plan.settings.units.prefix, Prefix::Si);
        assert_eq!(
            (plan.pids, plan.names),
            (vec![Pid(7)], vec!["curl".to_owned()])
        );
    }

    #[test]
    fn no_color_is_obeyed_unless_a_theme_was_typed() {
        let of = |typed, file, variables: &[(&str, &str)]| {
            let top = |theme| typed::Top {
                theme,
                ..typed::Top::default()
            };
            plan(top(typed), top(file), variables).settings.theme
        };
        let dark = Theme::dark(Palette::Basic);
        let light = Theme::light(Palette::Basic);
        assert_eq!(of(None, None, &[]), dark);
        assert_eq!(of(None, Some(ThemeName::Light), &[]), light);
        assert_eq!(
            of(None, Some(ThemeName::Light), &[("NO_COLOR", "1")]),
            Theme::none()
        );
        assert_eq!(
            of(Some(ThemeName::Light), None, &[("NO_COLOR", "1")]),
            light
        );
        assert_eq!(of(None, None, &[("NO_COLOR", "")]), dark);
        assert_eq!(of(None, None, &[("COLORFGBG", "0;15")]), light);
        assert_eq!(of(None, None, &[("COLORFGBG", "15;default;0")]), dark);
    }
}
