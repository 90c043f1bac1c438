//! How the view begins: what flags, environment and file ask for, in plain values.
//!
//! Reading those is the command's work. Everything here but the theme, the characters, the mouse
//! and the time that ended processes stay can be changed with a key while the view runs.

use std::time::Duration;

use netprocmon::units::Units;
use netprocmon::{Filter, GroupBy};

use crate::glyphs::Glyphs;
use crate::theme::Theme;

/// What the view begins with.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each type says it
pub struct Settings {
    pub view: View,
    /// The column to sort by; `None` leaves it to the view.
    pub sort: Option<ColumnId>,
    pub filter: Filter,
    pub group_by: Option<GroupBy>,
    pub units: Units,
    pub amounts: Amounts,
    pub flow: Flow,
    pub idle: Idle,
    pub shape: Shape,
    pub naming: Naming,
    pub theme: Theme,
    pub glyphs: Glyphs,
    pub mouse: Mouse,
    /// How long processes that have ended are shown.
    pub keep_ended: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            view: View::Processes,
            sort: None,
            filter: Filter::default(),
            group_by: None,
            units: Units::default(),
            amounts: Amounts::default(),
            flow: Flow::default(),
            idle: Idle::default(),
            shape: Shape::default(),
            naming: Naming::default(),
            theme: Theme::dark(crate::theme::Palette::Full),
            glyphs: Glyphs::Unicode,
            mouse: Mouse::On,
            keep_ended: Duration::from_secs(30),
        }
    }
}

/// A screenful of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum View {
    #[default]
    Processes,
    Connections,
    Remotes,
    Interfaces,
    /// One process or connection.
    Detail,
}

impl View {
    /// In the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Processes,
        Self::Connections,
        Self::Remotes,
        Self::Interfaces,
        Self::Detail,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Connections => "connections",
            Self::Remotes => "remotes",
            Self::Interfaces => "interfaces",
            Self::Detail => "detail",
        }
    }
}

/// Which amounts have columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Amounts {
    /// Bytes a second and totals.
    #[default]
    Both,
    /// Bytes a second.
    Rate,
    /// Totals.
    Total,
}

/// Which bytes the columns and charts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// As the packets go over the link.
    #[default]
    Wire,
    /// What the program's own calls moved.
    Payload,
}

/// Which rows are worth a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idle {
    /// Those that have moved anything since the start.
    #[default]
    Moved,
    /// Those that have in the last ten seconds.
    Active,
    /// Everybody with a socket.
    All,
}

/// How processes stand below one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// In the order of a column.
    #[default]
    List,
    /// Children below their parents.
    Tree,
}

/// What a process is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// Its name; of an interpreter, what it runs.
    #[default]
    Title,
    /// All its arguments.
    CommandLine,
}

/// Whether the terminal is asked for clicks; then it marks text only with Shift held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // on or off
pub enum Mouse {
    On,
    Off,
}

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // `columns::head` says what stands above each
pub enum ColumnId {
    Pid,
    Name,
    User,
    Place,
    Connections,
    SentRate,
    RecvRate,
    /// Both directions together: an order, not a column.
    Rate,
    Sent,
    Recv,
    /// Both directions together: an order, not a column.
    Total,
    /// The other flow's totals: payload beside wire.
    OtherSent,
    OtherRecv,
    Retransmitted,
    Graph,
    Protocol,
    Local,
    Remote,
    State,
    Age,
    Interface,
    Who,
    Origin,
    Share,
    Explained,
    Device,
}

impl ColumnId {
    /// Those that can be sorted by, with the word that flags and files use.
    pub const SORTABLE: [(Self, &'static str); 20] = [
        (Self::Rate, "rate"),
        (Self::SentRate, "sent-rate"),
        (Self::RecvRate, "recv-rate"),
        (Self::Total, "total"),
        (Self::Sent, "sent"),
        (Self::Recv, "recv"),
        (Self::OtherSent, "payload-sent"),
        (Self::OtherRecv, "payload-recv"),
        (Self::Retransmitted, "retransmitted"),
        (Self::Connections, "connections"),
        (Self::Pid, "pid"),
        (Self::Name, "name"),
        (Self::User, "user"),
        (Self::Place, "unit"),
        (Self::Protocol, "protocol"),
        (Self::Local, "local"),
        (Self::Remote, "remote"),
        (Self::State, "state"),
        (Self::Age, "age"),
        (Self::Interface, "interface"),
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> Option<&'static str> {
        let mut all = Self::SORTABLE.iter();
        all.find(|(column, _)| *column == self)
            .map(|(_, word)| *word)
    }

    /// The column with this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let mut all = Self::SORTABLE.iter();
        all.find(|(_, known)| *known == word)
            .map(|(column, _)| *column)
    }
}
