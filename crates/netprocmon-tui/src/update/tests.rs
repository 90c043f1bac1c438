//! Typing and looking, without a terminal: the screens at three sizes, what each key does.

use std::sync::Arc;

use crossterm::event::{MouseButton, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::made::{HOSTILE, snapshot};
use crate::settings::Settings;
use crate::state::rows::Subject;
use crate::theme::Theme;

const SIZES: [(u16, u16); 3] = [(80, 24), (200, 60), (40, 12)];

fn state(width: u16, height: u16, seconds: u64) -> State {
    let settings = Settings {
        theme: Theme::none(),
        ..Settings::default()
    };
    let mut state = State::new(settings, width, height);
    for second in 1..=seconds {
        state.update(Event::Sample(Arc::new(snapshot(second))));
    }
    state
}

fn screen(state: &State) -> String {
    let area = Rect::new(0, 0, state.width, state.height);
    let mut buffer = Buffer::empty(area);
    views::paint(state, &mut buffer, area);
    let mut text = String::new();
    for y in 0..area.height {
        let mut skip = 0;
        let mut line = String::new();
        for x in 0..area.width {
            let symbol = buffer[(x, y)].symbol();
            // The cell behind a wide character is empty.
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = netprocmon::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn press(state: &mut State, keys: &str) -> Option<Effect> {
    let mut effect = None;
    for word in keys.split(' ') {
        let code = match word {
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "Tab" => KeyCode::Tab,
            "Down" => KeyCode::Down,
            "Up" => KeyCode::Up,
            "End" => KeyCode::End,
            "Home" => KeyCode::Home,
            "Space" => KeyCode::Char(' '),
            "F1" => KeyCode::F(1),
            letters => {
                for letter in letters.chars() {
                    let key = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE);
                    effect = state.update(Event::Key(key));
                }
                continue;
            }
        };
        effect = state.update(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
    effect
}

fn names(state: &State) -> Vec<String> {
    let all = state.rows.iter().map(|row| match &row.subject {
        Subject::Process(usage) => usage.process.title().into_owned(),
        Subject::Connection(owner, _) => owner.title().into_owned(),
        Subject::Group(group) => group.label.clone(),
        Subject::Member(group) => format!("+{}", group.label),
        Subject::Interface(one) => one.name.as_deref().unwrap_or_default().to_owned(),
        Subject::Unattributed(one) => one.reason.name().to_owned(),
    });
    all.collect()
}

#[test]
fn every_view_at_every_size() {
    for (width, height) in SIZES {
        for (number, view) in ["1", "2", "3", "4", "Enter"].iter().zip(View::ALL) {
            let mut state = state(width, height, 3);
            press(&mut state, number);
            assert_eq!(state.view, view);
            let name = format!("{}_{width}x{height}", view.name());
            insta::assert_snapshot!(name, screen(&state));
        }
    }
}

#[test]
fn overlays_at_every_size() {
    for (width, height) in SIZES {
        let mut state = state(width, height, 3);
        state.diagnosis = "✓ ebpf      every byte\n\n  kernel       6.12.0\n".to_owned();
        for (keys, name) in [
            ("?", "help"),
            ("Esc s", "sort_menu"),
            ("Esc a", "group_menu"),
            ("Esc d", "doctor"),
            ("Esc / name~(", "prompt_with_a_mistake"),
        ] {
            press(&mut state, keys);
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&state));
        }
    }
}

#[test]
fn a_connection_in_detail_and_groups_and_a_tree() {
    let mut state = state(100, 30, 3);
    press(&mut state, "2 Enter");
    insta::assert_snapshot!("a_connection_100x30", screen(&state));
    press(&mut state, "Esc 1 t");
    insta::assert_snapshot!("a_tree_100x30", screen(&state));
    press(&mut state, "a u Enter");
    insta::assert_snapshot!("groups_100x30", screen(&state));
}

#[test]
fn plain_characters_are_ascii() {
    for keys in ["1", "2", "3", "4", "1 Enter", "?"] {
        let settings = Settings {
            theme: Theme::none(),
            glyphs: crate::Glyphs::Plain,
            ..Settings::default()
        };
        let mut state = State::new(settings, 120, 40);
        for second in 1..4 {
            state.update(Event::Sample(Arc::new(snapshot(second))));
        }
        press(&mut state, keys);
        let text = screen(&state);
        assert!(text.is_ascii(), "{keys}: {text}");
    }
}

#[test]
fn hostile_text_never_reaches_a_cell() {
    for (width, height) in SIZES {
        for keys in [
            "1",
            "1 l",
            "2",
            "2 n",
            "3",
            "4",
            "1 End Up Up Enter",
            "2 End Enter",
            "a Enter",
        ] {
            let mut state = state(width, height, 3);
            press(&mut state, keys);
            let area = Rect::new(0, 0, width, height);
            let mut buffer = Buffer::empty(area);
            views::paint(&state, &mut buffer, area);
            let bad = |c: char| c.is_control() || c == '\u{202e}';
            for cell in buffer.content() {
                assert!(!cell.symbol().contains(bad), "{keys}: {:?}", cell.symbol());
            }
        }
    }
    // It is there, visible.
    let mut state = state(200, 60, 3);
    assert!(names(&state).contains(&HOSTILE.to_owned()));
    assert!(
        screen(&state).contains("\\x1b]0;x\\x07"),
        "{}",
        screen(&state)
    );
    press(&mut state, "/ name:\u{1b}[2J");
    assert!(!screen(&state).contains('\u{1b}'));
}

#[test]
fn the_filter_is_applied_as_it_is_typed_and_kept_or_cleared() {
    let mut state = state(80, 24, 3);
    press(&mut state, "/ name=cu");
    assert!(state.rows.is_empty());
    press(&mut state, "rl");
    assert_eq!(names(&state), ["curl"]);
    // What is no filter leaves the last one, and says what is wrong.
    press(&mut state, "~(");
    assert_eq!(names(&state).len(), 0, "{:?}", names(&state));
    press(&mut state, "Esc");
    assert_eq!(names(&state).len(), 6);
    press(&mut state, "/ user=ana Enter");
    assert_eq!(
        names(&state),
        ["curl", "wrk", HOSTILE, "日本語のとても長い名前"]
    );
    press(&mut state, "q");
    press(&mut state, "Esc");
    assert!(state.series.filter().takes_everything());
}

#[test]
fn letters_in_the_prompt_are_no_keys() {
    let mut state = state(80, 24, 3);
    assert_eq!(press(&mut state, "/ q"), None);
    assert_eq!(press(&mut state, "Esc"), None);
    assert_eq!(press(&mut state, "q"), Some(Effect::Quit));
}

#[test]
fn orders() {
    let mut state = state(80, 24, 3);
    assert_eq!(names(&state)[..2], ["curl", "wrk"]);
    press(&mut state, "s");
    press(&mut state, "p Enter");
    assert_eq!(state.table().sort.by, ColumnId::Pid);
    assert_eq!(names(&state)[..3], ["sshd", "curl", "wrk"]);
    press(&mut state, "S");
    assert_eq!(names(&state)[0], "日本語のとても長い名前");
    press(&mut state, "> S");
    assert_eq!(state.table().sort.by, ColumnId::Name);
    press(&mut state, "< <");
    assert_eq!(state.table().sort.by, ColumnId::Total);
}

#[test]
fn a_row_stays_on_its_line_while_the_order_changes() {
    let mut state = state(80, 24, 3);
    press(&mut state, "Down Down");
    let before = state.row().unwrap().id.clone();
    let line = |state: &State| state.table().cursor.index() - state.table().cursor.offset();
    let was = line(&state);
    press(&mut state, "S");
    assert_eq!(state.row().unwrap().id, before);
    press(&mut state, "S");
    assert_eq!(
        (state.row().unwrap().id.clone(), line(&state)),
        (before, was)
    );
}

#[test]
fn paused_the_screen_stands_still_and_can_still_be_filtered() {
    let mut state = state(80, 24, 2);
    press(&mut state, "Space");
    let stood = screen(&state);
    assert!(stood.contains("paused"));
    state.update(Event::Sample(Arc::new(snapshot(3))));
    assert_eq!(screen(&state), stood);
    press(&mut state, "/ name=curl Enter");
    assert_eq!(names(&state), ["curl"]);
    assert_eq!(state.rows[0].counters().bytes_recv, Some(10_000_000));
    press(&mut state, "Space");
    assert_eq!(state.rows[0].counters().bytes_recv, Some(15_000_000));
}

#[test]
fn what_has_ended_stays_for_a_while_with_its_totals() {
    let mut state = state(80, 24, 8);
    let ended = state.rows.iter().find(|row| row.has_ended()).unwrap();
    assert_eq!(ended.counters().bytes_sent, Some(900_000));
    assert_eq!(ended.rates.sent, Some(0.0));
    for second in 9..40 {
        state.update(Event::Sample(Arc::new(snapshot(second))));
    }
    assert!(!state.rows.iter().any(crate::state::rows::Row::has_ended));
}

#[test]
fn a_reset_takes_two_presses_and_counts_from_then_on() {
    let mut state = state(80, 24, 2);
    press(&mut state, "x Down x");
    assert!(state.armed, "another key between disarms it");
    press(&mut state, "x");
    state.update(Event::Sample(Arc::new(snapshot(3))));
    let curl = state
        .rows
        .iter()
        .find(|row| row.counters().bytes_recv == Some(5_000_000));
    let rates = curl.unwrap().rates;
    assert_eq!(rates.recv, Some(5_000_000.0));
    let look = state.look().unwrap();
    assert_eq!(look.shown.elapsed.as_secs(), 1);
}

#[test]
fn payload_instead_of_wire() {
    let mut state = state(80, 24, 3);
    press(&mut state, "w");
    assert_eq!(names(&state)[0], "curl");
    assert_eq!(state.rows[0].rates.recv, Some(2_500_000.0));
    press(&mut state, "3");
    assert_eq!(state.rows[0].rates.recv, Some(2_500_000.0));
}

#[test]
fn both_ends_here_are_one_row() {
    let mut state = state(80, 24, 3);
    press(&mut state, "2");
    let with_peer = |row: &&crate::state::rows::Row| matches!(&row.subject, Subject::Connection(_, usage) if usage.connection.peer.is_some());
    assert_eq!(state.rows.iter().filter(with_peer).count(), 1);
    assert!(screen(&state).contains("wrk ⇄ nginx"), "{}", screen(&state));
    // The other end alone is shown too.
    press(&mut state, "/ name=nginx Enter");
    assert_eq!(state.rows.len(), 1);
}

#[test]
fn groups_sum_to_the_total_and_open() {
    let mut state = state(80, 24, 3);
    press(&mut state, "a u Enter");
    let sum: u64 = state
        .rows
        .iter()
        .filter_map(|row| row.counters().bytes_sent)
        .sum();
    let look = state.look().unwrap();
    let nobody: u64 = look
        .shown
        .unattributed
        .iter()
        .filter_map(|one| one.counters.bytes_sent)
        .sum();
    assert_eq!(
        Some(sum),
        look.shown.totals.bytes_sent.map(|sent| sent + nobody)
    );
    press(&mut state, "t");
    assert!(
        names(&state).iter().any(|name| name == "+curl"),
        "{:?}",
        names(&state)
    );
    press(&mut state, "Home Enter");
    assert_eq!(state.series.filter().to_string(), "user=ana");
    assert_eq!(state.series.by(), None);
}

#[test]
fn clicks() {
    let mut state = state(80, 24, 3);
    let click = |state: &mut State, column: u16, row: u16| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let modifiers = KeyModifiers::NONE;
        state.update(Event::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers,
        }))
    };
    click(&mut state, 16, 0);
    assert_eq!(state.view, View::Connections);
    click(&mut state, 3, 0);
    let head = state.layout().head.y;
    click(&mut state, 3, head);
    assert_eq!(state.table().sort.by, ColumnId::Pid);
    let body = state.layout().body.y;
    click(&mut state, 20, body + 2);
    assert_eq!(state.table().cursor.index(), 2);
    click(&mut state, 20, body + 2);
    assert_eq!(state.view, View::Detail);
    click(&mut state, 20, body + 100);
}

#[test]
fn every_key_in_every_place_at_every_size_does_no_harm() {
    let places = [
        "1", "2", "3", "4", "1 Enter", "2 Enter", "?", "d", "s", "a", "e", "/ x",
    ];
    for (width, height) in [(80, 24), (40, 12), (10, 3), (1, 1)] {
        for place in places {
            for binding in keys::BINDINGS {
                let mut state = state(width, height, 3);
                press(&mut state, place);
                for _ in 0..2 {
                    state.act(binding.action);
                }
                screen(&state);
                state.update(Event::Resized(30, 10));
                screen(&state);
                state.update(Event::Sample(Arc::new(snapshot(4))));
                screen(&state);
            }
        }
    }
}

#[test]
fn exports_are_what_is_shown() {
    let mut state = state(80, 24, 3);
    press(&mut state, "/ name=curl Enter");
    let Some(Effect::Export(json)) = press(&mut state, "e Enter") else {
        panic!("no export");
    };
    assert_eq!(json.stem, "netprocmon-processes-20261122T080003Z");
    let value: serde_json::Value = serde_json::from_slice(&json.contents).unwrap();
    assert_eq!(value["filter"], "name=curl");
    assert_eq!(value["totals"]["bytes_recv"], 15_000_000);
    press(&mut state, "Esc");
    let Some(Effect::Export(csv)) = press(&mut state, "e Down Enter") else {
        panic!("no export");
    };
    insta::assert_snapshot!("csv", String::from_utf8(csv.contents).unwrap());
}
