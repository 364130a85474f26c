//! The rules' pages and their index, in Markdown.

use std::fmt::Write as _;

use crate::rule::{FixAvailability, Group, Meta};

/// An example of a rule's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The heading above it: `Example`, `Repaired`.
    pub heading: String,
    /// The Dockerfile.
    pub text: String,
}

impl Meta {
    /// The page's body as Markdown.
    pub fn body(&self) -> String {
        let lines: Vec<&str> =
            self.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        lines.join("\n").trim().to_owned()
    }

    /// The Dockerfiles on the page, each with the heading it stands under.
    pub fn examples(&self) -> Vec<Example> {
        let mut examples = Vec::new();
        let mut heading = String::new();
        let mut open: Option<String> = None;
        for line in self.body().lines() {
            match (&mut open, line) {
                (None, "```dockerfile") => open = Some(String::new()),
                (Some(_), "```") => {
                    let text = open.take().unwrap_or_default();
                    examples.push(Example { heading: heading.clone(), text });
                }
                (Some(text), line) => {
                    text.push_str(line);
                    text.push('\n');
                }
                (None, line) => {
                    if let Some(title) = line.strip_prefix("## ") {
                        title.clone_into(&mut heading);
                    }
                }
            }
        }
        examples
    }
}

/// The page of one rule.
pub fn page(meta: &Meta) -> String {
    let mut out = format!("# {}\n\n{}.\n\n", meta.name, meta.summary);
    let _ = writeln!(out, "| severity | confidence | effect | needs image facts | fix |");
    let _ = writeln!(out, "|---|---|---|---|---|");
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {} |\n",
        meta.severity,
        meta.confidence,
        meta.effect,
        if meta.needs_image_facts { "yes" } else { "no" },
        meta.fixes.as_str()
    );
    out.push_str(&meta.body());
    out.push('\n');
    out
}

/// The index page.
pub fn index(metas: &[&Meta]) -> String {
    let mut out = String::from(
        "# Rules\n\nGenerated from the rules themselves; `mlint explain RULE` shows the same pages.\n",
    );
    for group in Group::ALL {
        let rules: Vec<&&Meta> = metas.iter().filter(|m| m.group == group).collect();
        if rules.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n## {}: {}\n", group.as_str(), group.describe());
        let _ = writeln!(out, "| rule | finds | severity | fix |\n|---|---|---|---|");
        for meta in rules {
            let fix = match meta.fixes {
                FixAvailability::None => "",
                other => other.as_str(),
            };
            let _ = writeln!(
                out,
                "| [{0}]({0}.md) | {1} | {2} | {fix} |",
                meta.name, meta.summary, meta.severity
            );
        }
    }
    out
}
