//! Wrong files, by the instruction that brought them.

use std::fmt;

use mlint_oci::Platform;
use mlint_syntax::Span;

use super::wrong::Wrong;
use crate::request::Remark;

/// How many files are named before the rest is counted.
const SHOWN: usize = 10;

/// All wrong files of a build.
#[derive(Debug, Default)]
pub struct ForeignFiles {
    /// By platform and instruction.
    pub groups: Vec<ForeignGroup>,
}

/// The wrong files that one instruction brought to one platform.
#[derive(Debug)]
pub struct ForeignGroup {
    /// The platform.
    pub platform: Platform,
    /// The instruction.
    pub span: Span,
    /// Its text.
    pub text: String,
    /// The files.
    pub files: Vec<Wrong>,
    /// Where a copied file was made: the instruction, and its stage.
    pub made_by: Option<(Span, String)>,
}

impl fmt::Display for ForeignFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.groups.iter().map(|g| g.files.len()).sum();
        let Some(first) = self.groups.first() else { return f.write_str("no wrong files") };
        let files = if total == 1 { "file does" } else { "files do" };
        write!(
            f,
            "{total} {files} not work on the image's platform, so no image with them is pushed"
        )?;
        write!(f, ": the image for {} would hold wrong binaries", first.platform)
    }
}

impl ForeignFiles {
    /// The files, group by group.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for group in &self.groups {
            notes.push(format!("{}, brought by {}:", group.platform, group.text));
            notes.extend(group.lines());
        }
        if let Some(file) = self.groups.iter().flat_map(|g| &g.files).next() {
            notes.push("if that is meant, say so above the instruction:".to_owned());
            notes.push(format!("  # mlint allow-foreign={}: why", file.path.display()));
        }
        notes
    }

    /// The places that matter besides the first.
    pub fn related(&self) -> Vec<(Span, String)> {
        let mut out = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            if number > 0 {
                out.push((group.span, format!("brings wrong files to {}", group.platform)));
            }
            if let Some((span, stage)) = &group.made_by {
                out.push((*span, format!("made here, in stage {stage}")));
            }
        }
        out.sort();
        out.dedup();
        out
    }
}

impl ForeignGroup {
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.files.iter().take(SHOWN).map(|w| format!("  {}", w.describe())).collect();
        if self.files.len() > SHOWN {
            lines.push(format!("  and {} more", self.files.len() - SHOWN));
        }
        lines
    }

    /// As a warning: its files may not work.
    pub fn remark(&self) -> Remark {
        let files = if self.files.len() == 1 { "a file" } else { "files" };
        Remark {
            message: format!("{files} in the image for {} may not work", self.platform),
            place: Some((self.span.start, self.span.end)),
            notes: std::iter::once(format!("brought by {}:", self.text))
                .chain(self.lines())
                .collect(),
        }
    }
}
