//! What a source cannot see here, said in words and with its remedy.

use std::borrow::Cow;

use serde::Serialize;

/// One thing that this run does not see or count, why, and what would mend it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Degradation {
    /// A stable word to branch on, such as `missing_capability` or `hook_unavailable`.
    pub code: Cow<'static, str>,
    /// What is missing and what it costs, one sentence.
    pub message: String,
    /// The command or setting that mends it; `None` where nothing does on this kernel.
    pub remedy: Option<String>,
}

impl Degradation {
    /// A degradation with a remedy still to be added with [`Degradation::with_remedy`].
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            remedy: None,
        }
    }

    /// Says what the user can do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}
