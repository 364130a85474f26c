//! `export`, `declare`, `local`, `readonly`, `typeset`.

use std::sync::Arc;

use mlint_syntax::{
    Span,
    shell::{Declaration, DeclarationArgument},
};

use super::{Flow, Interpreter, Status, Var, vars::Elements};
use crate::{
    effect::Argument,
    expand::Binding,
    value::{Origin, Value},
};

/// The options of a declaration.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    export: bool,
    unexport: bool,
    local: bool,
    array: bool,
    keyed: bool,
    /// `-l`, `-u`, `-i`, `-n`: assigned values become others.
    changes: Option<char>,
    /// `-p`, `-f`, `-F`: nothing is declared.
    prints: bool,
}

impl Options {
    fn of(keyword: &str) -> Self {
        let local = matches!(keyword, "local" | "declare" | "typeset");
        Self { export: keyword == "export", local, ..Self::default() }
    }

    fn read(&mut self, keyword: &str, options: &str) {
        for option in options.chars() {
            match option {
                'x' => self.export = true,
                'n' if keyword == "export" => self.unexport = true,
                'g' => self.local = false,
                'a' => self.array = true,
                'A' => self.keyed = true,
                'l' | 'u' | 'i' | 'n' => self.changes = Some(option),
                'p' | 'f' | 'F' => self.prints = true,
                _ => {}
            }
        }
    }
}

impl Interpreter<'_, '_> {
    pub(super) fn declaration(&mut self, declaration: &Declaration) -> Flow {
        let keyword = declaration.keyword.value.as_str();
        let mut options = Options::of(keyword);
        for argument in &declaration.arguments {
            match argument {
                DeclarationArgument::Assignment(assignment) => {
                    let name = &assignment.name.value;
                    self.declare(name, options, assignment.span);
                    self.assignment(assignment);
                    self.declared(name, options, assignment.span);
                }
                DeclarationArgument::Word(word) => {
                    for argument in self.fields(word) {
                        self.declared_word(keyword, &mut options, &argument);
                    }
                }
            }
        }
        self.declaration_prints(
            declaration.arguments.is_empty(),
            options,
            declaration.keyword.span,
        );
        self.set_status(Status::Success);
        Flow::Next
    }

    /// The same where it is not seen as such (`command export …`).
    pub(super) fn late_declaration(&mut self, keyword: &str, args: &[Argument], span: Span) {
        let mut options = Options::of(keyword);
        for argument in args {
            self.declared_word(keyword, &mut options, argument);
        }
        self.declaration_prints(args.is_empty(), options, span);
        self.set_status(Status::Success);
    }

    fn declaration_prints(&mut self, nothing: bool, options: Options, span: Span) {
        if nothing || options.prints {
            self.print(&Value::unknown(Origin::CommandOutput, span));
        }
    }

    fn declared_word(&mut self, keyword: &str, options: &mut Options, argument: &Argument) {
        let prefix = argument.value.known_prefix();
        if let Some(flags) = prefix.strip_prefix(['-', '+']) {
            if prefix.starts_with('-') {
                options.read(keyword, flags);
            }
        } else if let Some((name, _)) = prefix.split_once('=') {
            // `export "A=b"`
            let value = argument.value.without_prefix(name.len() + 1).unwrap_or_default();
            self.declare(name, *options, argument.span);
            self.assign(name, value, argument.span);
            self.declared(name, *options, argument.span);
        } else if let Some(name) = argument.value.as_known()
            && !options.prints
        {
            self.declare(&name, *options, argument.span);
            if options.export && !options.unexport {
                self.export_existing(&name, argument.span);
            }
        } else if argument.value.as_known().is_none() {
            // It may set any variable.
            self.sourced = true;
        }
    }

    /// Before a value is assigned.
    fn declare(&mut self, name: &str, options: Options, span: Span) {
        if options.local && !self.locals.is_empty() {
            let old = self.vars.get(name).cloned();
            let mut newly = false;
            if let Some(locals) = self.locals.last_mut()
                && !locals.iter().any(|(known, _)| **known == *name)
            {
                locals.push((name.into(), old));
                newly = true;
            }
            if newly {
                self.bind(name, Binding::Unset, span);
            }
        }
        let is_array = self.vars.get(name).is_some_and(|v| v.elements.is_some());
        if (options.keyed || options.array) && !is_array {
            let elements = Elements { keyed: options.keyed, items: Vec::new() };
            let elements = Some(Arc::new(elements));
            let binding = Binding::Unset;
            self.vars.set(name, Some(Var { binding, exported: false, span, elements }));
        }
    }

    /// After a value is assigned.
    fn declared(&mut self, name: &str, options: Options, span: Span) {
        if let Some(change) = options.changes
            && let Binding::Set(value) = self.lookup(name)
        {
            let value = match change {
                'l' => value.map(span, |t| Some(t.to_lowercase())),
                'u' => value.map(span, |t| Some(t.to_uppercase())),
                'i' if value.as_known().is_some_and(|t| t.parse::<i64>().is_ok()) => value,
                _ => value.obscured(span),
            };
            self.bind(name, Binding::Set(value), span);
        }
        if options.export {
            self.export(name);
        }
    }

    fn export_existing(&mut self, name: &str, span: Span) {
        if self.vars.get(name).is_none()
            && let binding @ Binding::Set(_) = self.state.scope.binding(name)
        {
            self.vars.set(name, Some(Var { binding, exported: true, span, elements: None }));
        }
        self.export(name);
    }
}
