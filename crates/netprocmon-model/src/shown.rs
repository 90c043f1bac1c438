//! A snapshot as it was asked for: filtered, grouped, and saying so.

use std::sync::Arc;

use serde::Serialize;

use crate::{Filter, Group, Snapshot};

/// Serializes as the snapshot, with what was asked for beside it.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// What the filter takes.
    #[serde(flatten)]
    pub snapshot: Arc<Snapshot>,
    /// What was asked for; absent where everything is taken.
    #[serde(skip_serializing_if = "Filter::takes_everything")]
    pub filter: Filter,
    /// `None` where processes are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
}
