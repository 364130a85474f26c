//! What the shell of an instruction really gets.

use crate::parser::heredoc_marker;
use crate::text::{LogicalText, TextBuilder};
use crate::tree::{CommandLine, Instruction, InstructionKind, ShellScript};

impl Instruction {
    /// The command line of RUN, CMD, ENTRYPOINT, or `HEALTHCHECK CMD`.
    pub fn command_line(&self) -> Option<&CommandLine> {
        match &self.kind {
            InstructionKind::Run(line)
            | InstructionKind::Cmd(line)
            | InstructionKind::Entrypoint(line)
            | InstructionKind::Healthcheck(Some(line)) => Some(line),
            _ => None,
        }
    }

    /// What the shell gets from a shell-form RUN, CMD, ENTRYPOINT or HEALTHCHECK; `None` for the
    /// exec form and for other instructions.
    ///
    /// `RUN <<EOF` hands the body to the shell, or runs it as a file when it begins with `#!`.
    /// In `RUN cat <<EOF > file` the marker stays in the text and the body follows it, for the
    /// shell to read.
    pub fn shell_script(&self) -> Option<ShellScript> {
        let Some(CommandLine::Shell(text)) = self.command_line() else { return None };
        let Some(first) = self.heredocs.first() else {
            return Some(ShellScript { text: text.clone(), shebang: None });
        };
        if heredoc_marker(text).is_some() {
            let text = first.body.clone();
            return Some(ShellScript { shebang: shebang(&text), text });
        }
        let bytes: u32 = self.heredocs.iter().map(|h| h.body_span.len() + 64).sum();
        let mut builder = TextBuilder::with_capacity((text.len() + bytes) as usize);
        builder.push_text(text);
        // One without its end is refused by the build; it has no lines to put back.
        for heredoc in self.heredocs.iter().filter(|h| !h.terminator.is_empty()) {
            // The line end between the command and the body, which the parser has taken off.
            builder.push("\n", heredoc.body_span.start.saturating_sub(1));
            builder.push_text(&heredoc.raw_body);
            builder.push(&heredoc.name, heredoc.terminator.start);
        }
        Some(ShellScript { text: builder.finish(text.to_file(0)), shebang: None })
    }
}

fn shebang(body: &LogicalText) -> Option<LogicalText> {
    let line = body.as_str().strip_prefix("#!")?;
    let len = line.find('\n').unwrap_or(line.len()) as u32;
    Some(body.slice(2, 2 + len).trim())
}
