//! Going through the tree.

use super::ast::*;

/// Sees every command, word and part, those inside substitutions included, in the order of the
/// text. A method that wants to see what is inside of its node calls the `walk_…` function.
pub trait Visitor {
    /// A command.
    fn command(&mut self, command: &Command) {
        walk_command(self, command);
    }

    /// A word: an argument, a value, a pattern, an operand, the target of a redirection, the body
    /// of a here-document.
    fn word(&mut self, word: &ShellWord) {
        walk_word(self, word);
    }

    /// A part of a word.
    fn part(&mut self, part: &WordPart) {
        walk_part(self, part);
    }
}

/// Visits the commands of a script.
pub fn walk_script<V: Visitor + ?Sized>(visitor: &mut V, script: &Script) {
    script.commands.iter().for_each(|c| visitor.command(c));
}

/// Visits what is inside of a command.
pub fn walk_command<V: Visitor + ?Sized>(visitor: &mut V, command: &Command) {
    match &command.kind {
        CommandKind::Simple(simple) => {
            simple.assignments.iter().for_each(|a| assignment(visitor, a));
            simple.words.iter().for_each(|w| visitor.word(w));
        }
        CommandKind::Declaration(declaration) => {
            for argument in &declaration.arguments {
                match argument {
                    DeclarationArgument::Assignment(a) => assignment(visitor, a),
                    DeclarationArgument::Word(w) => visitor.word(w),
                }
            }
        }
        CommandKind::Pipeline(commands) => commands.iter().for_each(|c| visitor.command(c)),
        CommandKind::AndOr { first, rest } => {
            visitor.command(first);
            rest.iter().for_each(|(_, c)| visitor.command(c));
        }
        CommandKind::Negated(inner) => visitor.command(inner),
        CommandKind::If { branches, otherwise } => {
            for branch in branches {
                walk_script(visitor, &branch.condition);
                walk_script(visitor, &branch.body);
            }
            otherwise.iter().for_each(|s| walk_script(visitor, s));
        }
        CommandKind::Case { word, arms } => {
            visitor.word(word);
            for arm in arms {
                arm.patterns.iter().for_each(|w| visitor.word(w));
                walk_script(visitor, &arm.body);
            }
        }
        CommandKind::For { words, body, .. } => {
            words.iter().flatten().for_each(|w| visitor.word(w));
            walk_script(visitor, body);
        }
        CommandKind::While { condition, body, .. } => {
            walk_script(visitor, condition);
            walk_script(visitor, body);
        }
        CommandKind::CFor { body, .. } => walk_script(visitor, body),
        CommandKind::Subshell(script) | CommandKind::Group(script) => walk_script(visitor, script),
        CommandKind::Function { body, .. } => visitor.command(body),
        CommandKind::Test(test) => condition(visitor, test),
        CommandKind::Arithmetic(_) | CommandKind::Opaque => {}
    }
    for redirect in &command.redirects {
        match &redirect.kind {
            RedirectKind::Input(word)
            | RedirectKind::Output(word)
            | RedirectKind::Append(word)
            | RedirectKind::ReadWrite(word)
            | RedirectKind::OutputAndError { target: word, .. }
            | RedirectKind::Duplicate(word)
            | RedirectKind::HereDoc { body: word, .. }
            | RedirectKind::HereString(word) => visitor.word(word),
        }
    }
}

fn assignment<V: Visitor + ?Sized>(visitor: &mut V, assignment: &Assignment) {
    assignment.index.iter().for_each(|w| visitor.word(w));
    match &assignment.value {
        AssignmentValue::Word(word) => visitor.word(word),
        AssignmentValue::Array(words) => words.iter().for_each(|w| visitor.word(w)),
    }
}

fn condition<V: Visitor + ?Sized>(visitor: &mut V, test: &Condition) {
    match test {
        Condition::Unary { operand, .. } => visitor.word(operand),
        Condition::Binary { left, right, .. } => {
            visitor.word(left);
            visitor.word(right);
        }
        Condition::Word(word) => visitor.word(word),
        Condition::Not(inner) => condition(visitor, inner),
        Condition::And(all) | Condition::Or(all) => {
            all.iter().for_each(|c| condition(visitor, c));
        }
    }
}

/// Visits the parts of a word.
pub fn walk_word<V: Visitor + ?Sized>(visitor: &mut V, word: &ShellWord) {
    word.parts.iter().for_each(|p| visitor.part(p));
}

/// Visits what is inside of a part: the script of a substitution, the operands of a parameter.
pub fn walk_part<V: Visitor + ?Sized>(visitor: &mut V, part: &WordPart) {
    match part {
        WordPart::CommandSub { script, .. } | WordPart::ProcessSub { script, .. } => {
            walk_script(visitor, script);
        }
        WordPart::Arithmetic { parts, .. } => parts.iter().for_each(|p| visitor.part(p)),
        WordPart::Param(param) => {
            param.index.iter().for_each(|w| visitor.word(w));
            match param.op.as_deref() {
                Some(
                    ParamOp::Default { word, .. }
                    | ParamOp::Assign { word, .. }
                    | ParamOp::Required { word, .. }
                    | ParamOp::Alternative { word, .. }
                    | ParamOp::TrimPrefix { pattern: word, .. }
                    | ParamOp::TrimSuffix { pattern: word, .. },
                ) => visitor.word(word),
                Some(ParamOp::Replace { pattern, replacement, .. }) => {
                    visitor.word(pattern);
                    visitor.word(replacement);
                }
                Some(ParamOp::Substring { offset, length }) => {
                    visitor.word(offset);
                    length.iter().for_each(|w| visitor.word(w));
                }
                _ => {}
            }
        }
        _ => {}
    }
}
