//! One open Dockerfile: its text, and what is known about that text.

use std::path::PathBuf;

use lsp_types::{TextDocumentContentChangeEvent, Uri};
use mlint_lint::{CheckOptions, Report};
use mlint_model::ImageFacts;
use mlint_syntax::{LineIndex, parse};

use crate::{
    Host, Queries,
    convert::{Converter, Encoding},
};

/// An open document.
pub(crate) struct Document {
    pub(crate) uri: Uri,
    pub(crate) path: Option<PathBuf>,
    pub(crate) version: i32,
    pub(crate) text: String,
    pub(crate) lines: LineIndex,
    pub(crate) options: CheckOptions,
    /// The images that the facts are about, or will be once the answer has come.
    pub(crate) asked: Queries,
    pub(crate) facts: ImageFacts,
    /// Findings for this very text; `None` after a change.
    report: Option<Report>,
}

impl Document {
    pub(crate) fn new(
        uri: Uri,
        path: Option<PathBuf>,
        version: i32,
        text: String,
        options: CheckOptions,
    ) -> Self {
        Self {
            uri,
            path,
            version,
            lines: LineIndex::new(&text),
            text,
            options,
            asked: Queries::default(),
            facts: ImageFacts::default(),
            report: None,
        }
    }

    pub(crate) fn converter(&self, encoding: Encoding) -> Converter<'_> {
        Converter { text: &self.text, lines: &self.lines, encoding }
    }

    /// Applies the changes of one notification, each to the text that the one before left.
    pub(crate) fn change(
        &mut self,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
        encoding: Encoding,
    ) {
        self.version = version;
        for change in changes {
            match change.range {
                None => self.text = change.text,
                Some(range) => {
                    let span = self.converter(encoding).span(range);
                    self.text.replace_range(span.range(), &change.text);
                }
            }
            self.lines = LineIndex::new(&self.text);
        }
        self.report = None;
    }

    pub(crate) fn set_facts(&mut self, facts: ImageFacts) {
        self.facts = facts;
        self.report = None;
    }

    pub(crate) fn set_options(&mut self, options: CheckOptions) {
        self.options = options;
        self.report = None;
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.report.is_none()
    }

    /// The images that this text needs.
    pub(crate) fn queries(&self) -> Queries {
        let file = parse(self.text.as_str());
        let (platforms, model) = (&self.options.platforms, self.options.model());
        Queries {
            images: mlint_model::image_queries(&file, platforms, &model),
            configs: mlint_model::config_queries(&file, platforms, &model),
        }
    }

    /// Lets the host look into the build context for what this text asks.
    pub(crate) fn look(&mut self, host: &dyn Host) {
        let file = parse(self.text.as_str());
        host.look(self.path.as_deref(), &file, &mut self.options, &self.facts);
    }

    /// The findings for this text, made now if need be.
    pub(crate) fn report(&mut self) -> &Report {
        let (text, options, facts) = (&self.text, &self.options, &self.facts);
        self.report.get_or_insert_with(|| {
            mlint_lint::check(&parse(text.as_str()), options, facts, mlint_rules::all())
        })
    }
}
