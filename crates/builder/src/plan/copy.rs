//! Plans COPY and ADD.

use mlint_syntax::{CopySource, Instruction, Span, Word, word};

use super::{
    CopyOp, MountSource, Op, flags,
    mounts::{absolute, clean},
    stage::{Planner, StageState, text_of},
};
use crate::problem::{BuildError, Problem};

impl Planner<'_> {
    pub(super) fn copy(
        &mut self,
        state: &mut StageState,
        instruction: &Instruction,
        sources: &[CopySource],
        dest: &Word,
        add: bool,
        span: Span,
    ) -> Result<(), BuildError> {
        let known: &[&str] =
            if add { &["chown", "chmod", "link"] } else { &["from", "chown", "chmod", "link"] };
        flags::check(instruction, known)?;
        let from = match instruction.flag("from").and_then(|f| f.value.as_ref()) {
            Some(word) => self.copy_source(state, word, true)?,
            None => MountSource::Context,
        };
        let mut paths = Vec::new();
        let mut inline = Vec::new();
        for source in sources {
            match source {
                CopySource::Path(word) => {
                    let path = state.expand(word)?;
                    if add && is_remote(&path) {
                        return Err(Problem::unsupported(format!("ADD {path}")).at(word.span()));
                    }
                    if from == MountSource::Context && !self.has_context() {
                        return Err(Problem::NoContext.at(word.span()));
                    }
                    paths.push(path);
                }
                CopySource::Heredoc(number) => {
                    let Some(heredoc) = instruction.heredocs.get(*number) else { continue };
                    inline.push((heredoc.name.clone(), state.heredoc_text(heredoc)?));
                }
            }
        }
        let workdir = state.config.config.working_dir.clone();
        let said_dest = state.expand(dest)?;
        let dest = destination(&said_dest, &workdir);
        let op = CopyOp {
            from,
            sources: paths,
            inline,
            dest,
            chown: state.flag_text(instruction, "chown")?,
            chmod: state.chmod(instruction)?,
            unpack: add,
            link: flags::switch(instruction.flag("link"))?,
        };
        let mut words = vec![if add { "ADD".to_owned() } else { "COPY".to_owned() }];
        words.extend(op.chown.iter().map(|c| format!("--chown={c}")));
        words.extend(state.flag_text(instruction, "chmod")?.map(|c| format!("--chmod={c}")));
        words.extend(op.sources.iter().cloned());
        words.extend(op.inline.iter().map(|(name, _)| format!("<<{name}")));
        words.push(said_dest);
        let entry = format!("{} # buildkit", words.join(" "));
        self.step(state, Op::Copy(op), instruction, span, entry);
        Ok(())
    }

    pub(super) fn has_context(&self) -> bool {
        self.inputs.has_context
    }
}

impl StageState {
    fn heredoc_text(&self, heredoc: &mlint_syntax::Heredoc) -> Result<String, BuildError> {
        if !heredoc.expand {
            return Ok(heredoc.body.as_str().to_owned());
        }
        let parsed = word::parse_heredoc_body(&heredoc.body);
        let lookup = |name: &str| self.scope.get(name).map(text_of);
        word::expand(&parsed, &lookup).map_err(|e| Problem::Expansion(e.to_string()).at(e.span()))
    }

    fn flag_text(
        &self,
        instruction: &Instruction,
        name: &str,
    ) -> Result<Option<String>, BuildError> {
        let word = instruction.flag(name).and_then(|f| f.value.as_ref());
        let text = word.map(|word| self.expand(word)).transpose()?;
        Ok(text.filter(|t| !t.is_empty()))
    }

    fn chmod(&self, instruction: &Instruction) -> Result<Option<u32>, BuildError> {
        let Some(text) = self.flag_text(instruction, "chmod")? else { return Ok(None) };
        let span = instruction.flag("chmod").map_or(instruction.span, |f| f.span);
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if mode <= 0o7777 => Ok(Some(mode)),
            _ if text
                .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '+' | '=' | '-')) =>
            {
                Err(Problem::unsupported(format!("--chmod={text} (other than an octal mode)"))
                    .at(span))
            }
            _ => Err(Problem::BadValue {
                what: "--chmod".to_owned(),
                value: text,
                expected: "an octal mode, as in 755",
            }
            .at(span)),
        }
    }
}

/// The destination: absolute, and with a slash at the end if a directory is meant.
fn destination(dest: &str, workdir: &str) -> String {
    let mut path = clean(&absolute(dest, workdir));
    let directory = dest == "." || dest.is_empty() || dest.ends_with('/') || dest.ends_with("/.");
    if directory && path != "/" {
        path.push('/');
    }
    path
}

/// What ADD fetches.
fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|s| source.starts_with(s))
        || source.ends_with(".git")
        || source.contains(".git#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        for (dest, want) in [
            ("/a/", "/a/"),
            ("a", "/w/a"),
            (".", "/w/"),
            ("./", "/w/"),
            ("", "/w/"),
            ("/", "/"),
            ("a//b/../c/.", "/w/a/c/"),
            ("..", "/"),
            ("../../../r", "/r"),
        ] {
            assert_eq!(destination(dest, "/w"), want, "{dest}");
        }
        assert_eq!(destination("x", "/"), "/x");
    }
}
