//! Plans COPY and ADD.

use mlint_syntax::{CopySource, Instruction, Span, Word, word};

use super::{
    CopyItem, CopyOp, GitItem, MountSource, Op, UrlItem, flags,
    paths::{absolute, clean},
    stage::{Planner, StageState, text_of},
};
use crate::{
    copy::Mode,
    problem::{At, BuildError, Problem},
    remote::{GitAddress, redacted},
};

/// What a file from the network is called whose address ends in no name.
const UNNAMED: &str = "__unnamed__";

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
        flags::check(instruction, if add { ADD_FLAGS } else { COPY_FLAGS })?;
        let from = match instruction.flag("from").and_then(|f| f.value.as_ref()) {
            Some(word) => self.copy_source(state, word, true)?,
            None => MountSource::Context,
        };
        let checksum = state.flag_text(instruction, "checksum")?;
        let mut items = Vec::new();
        let mut said = Vec::new();
        let mut inline = Vec::new();
        for source in sources {
            match source {
                CopySource::Path(word) => {
                    let path = state.expand(word)?;
                    said.push(redacted(&path));
                    let item = match add {
                        true => remote_item(instruction, &path, checksum.as_deref()),
                        false => not_remote(&path).map(|()| None),
                    };
                    if let Some(item) = item.at(word.span())? {
                        items.push(item);
                        continue;
                    }
                    if from == MountSource::Context && !self.has_context() {
                        return Err(Problem::NoContext.at(word.span()));
                    }
                    items.push(CopyItem::Path(path));
                }
                CopySource::Heredoc(number) => {
                    let Some(heredoc) = instruction.heredocs.get(*number) else { continue };
                    inline.push((heredoc.name.clone(), state.heredoc_text(heredoc)?));
                }
            }
        }
        if let Some(flag) = instruction.flag("checksum").filter(|_| checksum.is_some()) {
            let remote = matches!(&items[..], [CopyItem::Url(_) | CopyItem::Git(_)]);
            if !remote || !inline.is_empty() {
                return Err(Problem::ChecksumOfMany.at(flag.span));
            }
        }
        let workdir = state.config.config.working_dir.clone();
        let said_dest = state.expand(dest)?;
        let dest = destination(&said_dest, &workdir);
        let op = CopyOp {
            from,
            sources: items,
            inline,
            dest,
            chown: state.flag_text(instruction, "chown")?,
            chmod: state.chmod(instruction)?,
            unpack: flags::chosen(instruction.flag("unpack"))?.unwrap_or(add),
            parents: flags::switch(instruction.flag("parents"))?,
            exclude: state.excludes(instruction)?,
            link: flags::switch(instruction.flag("link"))?,
        };
        let mut words = vec![if add { "ADD".to_owned() } else { "COPY".to_owned() }];
        if op.parents {
            words.push("--parents".to_owned());
        }
        words.extend(op.chown.iter().map(|c| format!("--chown={c}")));
        words.extend(state.flag_text(instruction, "chmod")?.map(|c| format!("--chmod={c}")));
        words.extend(said);
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

    fn chmod(&self, instruction: &Instruction) -> Result<Option<Mode>, BuildError> {
        let Some(text) = self.flag_text(instruction, "chmod")? else { return Ok(None) };
        let span = instruction.flag("chmod").map_or(instruction.span, |f| f.span);
        match Mode::parse(&text) {
            Some(mode) => Ok(Some(mode)),
            None => Err(Problem::BadValue {
                what: "--chmod".to_owned(),
                value: text,
                expected: "a mode, as in 755 or u=rwX,go=rX",
            }
            .at(span)),
        }
    }

    fn excludes(&self, instruction: &Instruction) -> Result<Vec<String>, BuildError> {
        let mut patterns = Vec::new();
        for flag in instruction.flags.iter().filter(|f| f.name.as_str() == "exclude") {
            if let Some(word) = &flag.value {
                patterns.push(self.expand(word)?);
            }
        }
        // A broken pattern is a mistake in the file, whatever there is to copy.
        crate::copy::Filter::new(&patterns)
            .map_err(|e| Problem::Copy(e.into()).at(instruction.span))?;
        Ok(patterns)
    }
}

const COPY_FLAGS: &[&str] = &["from", "chown", "chmod", "link", "parents", "exclude"];
const ADD_FLAGS: &[&str] =
    &["chown", "chmod", "link", "exclude", "checksum", "keep-git-dir", "unpack"];

/// What an argument of ADD fetches; nothing for a path.
fn remote_item(
    instruction: &Instruction,
    source: &str,
    checksum: Option<&str>,
) -> Result<Option<CopyItem>, BuildError> {
    if let Some(git) = GitAddress::parse(source)? {
        let keep = flags::chosen(instruction.flag("keep-git-dir"))?;
        let disagree = |what| Problem::GitDisagrees { what };
        if keep.is_some() && git.keep_git_dir.is_some() && keep != git.keep_git_dir {
            return Err(disagree("keep-git-dir").into());
        }
        if let (Some(flag), Some(own)) = (checksum, &git.checksum)
            && flag != own
        {
            return Err(disagree("checksum").into());
        }
        let keep_git_dir = keep.or(git.keep_git_dir).unwrap_or(false);
        let checksum = checksum.map(str::to_owned).or_else(|| git.checksum.clone());
        if let Some(checksum) = &checksum
            && (checksum.len() < 7 || !checksum.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            let (what, value) = ("--checksum".to_owned(), checksum.clone());
            let expected = "a commit's name: seven or more hexadecimal digits";
            return Err(Problem::BadValue { what, value, expected }.into());
        }
        return Ok(Some(CopyItem::Git(GitItem { git, keep_git_dir, checksum })));
    }
    if !is_url(source) {
        return Ok(None);
    }
    let checksum = match checksum {
        None => None,
        Some(text) => Some(text.parse::<mlint_oci::Digest>().map_err(|_| Problem::BadValue {
            what: "--checksum".to_owned(),
            value: text.to_owned(),
            expected: "a digest, as in sha256:… with 64 hexadecimal digits",
        })?),
    };
    Ok(Some(CopyItem::Url(UrlItem {
        url: source.to_owned(),
        name: url_name(source),
        checksum,
        unpack: flags::switch(instruction.flag("unpack"))?,
    })))
}

/// COPY takes no addresses.
fn not_remote(source: &str) -> Result<(), BuildError> {
    match is_url(source) || GitAddress::parse(source)?.is_some() {
        true => Err(Problem::RemoteCopy { address: redacted(source) }.into()),
        false => Ok(()),
    }
}

fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// The last part of an address's path, as BuildKit names the file.
fn url_name(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = percent_decoded(name);
    match name.as_str() {
        "" | "." | ".." => UNNAMED.to_owned(),
        name if name.contains(['/', '\0']) => UNNAMED.to_owned(),
        name => name.to_owned(),
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
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

    #[test]
    fn files_of_the_network_have_names() {
        for (url, want) in [
            ("https://a.example/x/tool.tar.gz?v=1#frag", "tool.tar.gz"),
            ("https://a.example/x/", "x"),
            ("https://a.example/", UNNAMED),
            ("https://a.example", UNNAMED),
            ("https://a.example/a%20b", "a b"),
            ("https://a.example/..", UNNAMED),
            ("https://a.example/x%2fy", UNNAMED),
            ("https://a.example/100%", "100%"),
        ] {
            assert_eq!(url_name(url), want, "{url}");
        }
    }
}
