//! The shell tree.

use std::sync::Arc;

use crate::span::{Span, Spanned};
use crate::text::LogicalText;

/// A list of commands: a whole script, a loop's body, the inside of `$(…)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Where it stands.
    pub span: Span,
    /// The commands in order.
    pub commands: Vec<Command>,
    /// Places that could not be read; the commands there are [`CommandKind::Opaque`].
    pub errors: Vec<Span>,
}

/// One command with its redirections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Where it stands, redirections included.
    pub span: Span,
    /// What it is.
    pub kind: CommandKind,
    /// Redirections in order.
    pub redirects: Vec<Redirect>,
    /// Whether `&` follows.
    pub background: bool,
}

/// The kinds of [`Command`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandKind {
    /// `A=b cmd args`, also `[ … ]` and `test …`; no words when there are only assignments.
    Simple(SimpleCommand),
    /// `export`, `local`, `readonly`, `declare`, `typeset` with assignments.
    Declaration(Declaration),
    /// `a | b`.
    Pipeline(Vec<Command>),
    /// `a && b || c`, from left to right.
    AndOr {
        /// The first command.
        first: Box<Command>,
        /// The others, each with the operator before it.
        rest: Vec<(AndOrOp, Command)>,
    },
    /// `! a`.
    Negated(Box<Command>),
    /// `if …; then …; elif …; else …; fi`.
    If {
        /// `if` and each `elif`.
        branches: Vec<IfBranch>,
        /// After `else`.
        otherwise: Option<Script>,
    },
    /// `case w in a|b) …;; esac`.
    Case {
        /// What is matched.
        word: ShellWord,
        /// The arms in order.
        arms: Vec<CaseArm>,
    },
    /// `for x in …; do …; done`, and `select`.
    For {
        /// The loop variable.
        variable: Spanned<String>,
        /// The words after `in`; `None` when there is no `in` (the positional parameters).
        words: Option<Vec<ShellWord>>,
        /// Whether it is `select`, which asks which of the words it is to be.
        select: bool,
        /// The body.
        body: Script,
    },
    /// `for ((…; …; …)); do …; done`.
    CFor {
        /// The header between the double parentheses.
        header: Spanned<String>,
        /// The body.
        body: Script,
    },
    /// `while …; do …; done`, and `until`.
    While {
        /// Whether it is `until`.
        until: bool,
        /// The condition.
        condition: Script,
        /// The body.
        body: Script,
    },
    /// `( … )`.
    Subshell(Script),
    /// `{ …; }`.
    Group(Script),
    /// `f() { …; }`.
    Function {
        /// The name.
        name: Spanned<String>,
        /// The body.
        body: Arc<Command>,
    },
    /// `[[ … ]]`.
    Test(Condition),
    /// `(( … ))`: the text between.
    Arithmetic(Spanned<String>),
    /// Could not be read, or nests too deeply.
    Opaque,
}

/// A command without any structure around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimpleCommand {
    /// Assignments before the name.
    pub assignments: Vec<Assignment>,
    /// Name and arguments.
    pub words: Vec<ShellWord>,
}

/// `export A=b C`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// `export`, `local`, …
    pub keyword: Spanned<String>,
    /// What follows.
    pub arguments: Vec<DeclarationArgument>,
}

/// An argument of a [`Declaration`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclarationArgument {
    /// `A=b`.
    Assignment(Assignment),
    /// A name, an option, or anything else.
    Word(ShellWord),
}

/// `name=value`, `name+=value`, `name[i]=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Where it stands.
    pub span: Span,
    /// The variable.
    pub name: Spanned<String>,
    /// What stands between the brackets.
    pub index: Option<ShellWord>,
    /// Whether it is `+=`.
    pub append: bool,
    /// The value.
    pub value: AssignmentValue,
}

/// What is assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentValue {
    /// One word, perhaps empty.
    Word(ShellWord),
    /// `(a b c)`.
    Array(Vec<ShellWord>),
}

/// The operators between the commands of [`CommandKind::AndOr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AndOrOp {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// `if condition; then body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfBranch {
    /// After `if` or `elif`.
    pub condition: Script,
    /// After `then`.
    pub body: Script,
}

/// `a|b) body ;;`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseArm {
    /// From the first pattern to the end of the terminator.
    pub span: Span,
    /// The alternatives.
    pub patterns: Vec<ShellWord>,
    /// What is done.
    pub body: Script,
    /// How the arm ends.
    pub end: CaseEnd,
}

/// How an arm of `case` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaseEnd {
    /// `;;`, or the last arm without one.
    Break,
    /// `;&`: go on with the next arm's body.
    FallThrough,
    /// `;;&`: go on with the next arm's patterns.
    Continue,
}

/// What stands in `[[ … ]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `-f x`, `-z x`, …
    Unary {
        /// With its dash.
        op: Spanned<String>,
        /// The operand.
        operand: ShellWord,
    },
    /// `a = b`, `a =~ b`, `a -eq b`, …
    Binary {
        /// The operator.
        op: Spanned<String>,
        /// Before it.
        left: ShellWord,
        /// After it; a pattern for `=`, `==` and `!=`.
        right: ShellWord,
    },
    /// A word alone: true when it is not empty.
    Word(ShellWord),
    /// `! c`.
    Not(Box<Condition>),
    /// `a && b && …`.
    And(Vec<Condition>),
    /// `a || b || …`.
    Or(Vec<Condition>),
}

/// A word of the shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShellWord {
    /// Where it stands.
    pub span: Span,
    /// Its parts in order.
    pub parts: Vec<WordPart>,
}

/// One part of a [`ShellWord`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WordPart {
    /// Text that stands for itself. With [`Quote::None`] its `*`, `?`, `[…]`, `{a,b}` and a first
    /// `~` still have their meaning.
    Literal {
        /// The text without quotes and escapes; it knows where each of its bytes stands.
        text: LogicalText,
        /// Where it stands, with quotes or backslash.
        span: Span,
        /// How it was quoted.
        quote: Quote,
    },
    /// `$x`, `${x…}`.
    Param(Param),
    /// `$(…)` or backticks.
    CommandSub {
        /// What runs. For backticks, spans are those of the text inside them.
        script: Script,
        /// From the dollar to the parenthesis.
        span: Span,
        /// Whether it stands between double quotes.
        quoted: bool,
    },
    /// `$((…))` or `$[…]`.
    Arithmetic {
        /// The text between.
        text: String,
        /// The text once more, with its parameters and substitutions told apart.
        parts: Vec<WordPart>,
        /// From the dollar to the last parenthesis.
        span: Span,
        /// Whether it stands between double quotes.
        quoted: bool,
    },
    /// `<(…)` or `>(…)`.
    ProcessSub {
        /// What runs.
        script: Script,
        /// With the parentheses.
        span: Span,
        /// Whether it is `>(…)`.
        output: bool,
    },
    /// Could not be read: anything may come out.
    Opaque(Span),
}

/// How a part of a word was quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quote {
    /// Not at all.
    None,
    /// One character after a backslash.
    Escaped,
    /// Between single quotes, `$'…'` included.
    Single,
    /// Between double quotes.
    Double,
}

/// `$x` or `${x…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The name, or the sign or digits of a parameter that has none.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// From the dollar to the end.
    pub span: Span,
    /// Whether it stands in braces.
    pub braced: bool,
    /// Whether it stands between double quotes.
    pub quoted: bool,
    /// `${x[index]}`.
    pub index: Option<Box<ShellWord>>,
    /// What is done with the value.
    pub op: Option<Box<ParamOp>>,
}

/// What `${x…}` does with the value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParamOp {
    /// `${x-w}`, `${x:-w}`.
    Default {
        /// An empty value counts as unset.
        null: bool,
        /// The word.
        word: ShellWord,
    },
    /// `${x=w}`, `${x:=w}`.
    Assign {
        /// An empty value counts as unset.
        null: bool,
        /// The word.
        word: ShellWord,
    },
    /// `${x?w}`, `${x:?w}`.
    Required {
        /// An empty value counts as unset.
        null: bool,
        /// The word.
        word: ShellWord,
    },
    /// `${x+w}`, `${x:+w}`.
    Alternative {
        /// An empty value counts as unset.
        null: bool,
        /// The word.
        word: ShellWord,
    },
    /// `${x#p}`, `${x##p}`.
    TrimPrefix {
        /// The longest match, not the shortest.
        longest: bool,
        /// The pattern.
        pattern: ShellWord,
    },
    /// `${x%p}`, `${x%%p}`.
    TrimSuffix {
        /// The longest match, not the shortest.
        longest: bool,
        /// The pattern.
        pattern: ShellWord,
    },
    /// `${x/p/r}` and its kin.
    Replace {
        /// Where.
        scope: ReplaceScope,
        /// The pattern.
        pattern: ShellWord,
        /// What comes in its place; empty when there is no second slash.
        replacement: ShellWord,
    },
    /// `${x:offset}`, `${x:offset:length}`.
    Substring {
        /// Before the second colon.
        offset: ShellWord,
        /// After it.
        length: Option<ShellWord>,
    },
    /// `${#x}`.
    Length,
    /// `${!x}`.
    Indirect,
    /// `${!x*}`, `${!x@}`.
    Names,
    /// `${x^}`, `${x^^}`.
    Upper {
        /// Every character, not just the first.
        all: bool,
    },
    /// `${x,}`, `${x,,}`.
    Lower {
        /// Every character, not just the first.
        all: bool,
    },
    /// `${x@Q}` and its kin.
    Transform(char),
    /// Anything else.
    Opaque,
}

/// Where [`ParamOp::Replace`] replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplaceScope {
    /// `/`: the first match.
    First,
    /// `//`: every match.
    All,
    /// `/#`: at the start.
    Prefix,
    /// `/%`: at the end.
    Suffix,
}

/// A redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Where it stands (for a here-document: its marker).
    pub span: Span,
    /// The number before the operator.
    pub fd: Option<u32>,
    /// Operator and target.
    pub kind: RedirectKind,
}

/// The kinds of [`Redirect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// `< w`
    Input(ShellWord),
    /// `> w`, `>| w`
    Output(ShellWord),
    /// `>> w`
    Append(ShellWord),
    /// `<> w`
    ReadWrite(ShellWord),
    /// `&> w`, or `&>> w` with `append`
    OutputAndError {
        /// Whether it appends.
        append: bool,
        /// The file.
        target: ShellWord,
    },
    /// `>& w` or `<& w`: a descriptor, a dash, or a file.
    Duplicate(ShellWord),
    /// `<<EOF`
    HereDoc {
        /// The delimiter without quotes.
        delimiter: String,
        /// Whether variables in the body expand.
        expand: bool,
        /// Whether leading tabs are stripped (`<<-`).
        strip_tabs: bool,
        /// The body: one literal when it does not expand.
        body: ShellWord,
    },
    /// `<<< w`
    HereString(ShellWord),
}

impl ShellWord {
    /// The text, when every part is literal (globs and braces not considered).
    pub fn as_literal(&self) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                WordPart::Literal { text, .. } => out.push_str(text.as_str()),
                _ => return None,
            }
        }
        Some(out)
    }
}

impl SimpleCommand {
    /// The command's name, when it is literal.
    pub fn name(&self) -> Option<String> {
        self.words.first()?.as_literal()
    }
}
