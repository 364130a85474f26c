//! From an awk program to its rules.

/// How deep expressions and statements may nest.
const MAX_DEPTH: u32 = 32;

/// A rule: for which lines, and what is done.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    /// `None`: the line is printed.
    pub(super) body: Option<Vec<Statement>>,
}

#[derive(Debug)]
pub(super) enum Pattern {
    Begin,
    End,
    Always,
    When(Expr),
}

#[derive(Debug)]
pub(super) enum Statement {
    Print(Vec<Expr>),
    Printf(Vec<Expr>),
    If(Expr, Vec<Statement>, Vec<Statement>),
    Do(Expr),
    Next,
    Exit,
}

#[derive(Debug)]
pub(super) enum Expr {
    Text(String),
    Number(f64),
    Regex(String),
    Field(Box<Expr>),
    Variable(String),
    Assign(Box<Expr>, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Number(f64),
    Regex(String),
    Name(String),
    /// A name with a parenthesis directly behind it.
    Function(String),
    Sign(&'static str),
    Newline,
}

const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "!~", "+=", "-=", "*=", "/=", "%=", "++", "--", "{", "}",
    "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "<", ">", "!", "~", "?", ":", "=", "$",
    "|", "^",
];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out: Vec<Token> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        let Some(c) = rest.chars().next() else { return Some(out) };
        if c == '#' {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
        } else if let Some(after) = rest.strip_prefix("\\\n") {
            rest = after;
        } else if c == '\n' {
            out.push(Token::Newline);
            rest = &rest[1..];
        } else if c == '"' {
            let end = end_of(&rest[1..], '"')?;
            out.push(Token::Text(unescaped(&rest[1..=end])));
            rest = &rest[end + 2..];
        } else if c == '/' && regex_may_follow(out.last()) {
            let end = end_of(&rest[1..], '/')?;
            out.push(Token::Regex(rest[1..=end].replace("\\/", "/")));
            rest = &rest[end + 2..];
        } else if c.is_ascii_digit() {
            let len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            out.push(Token::Number(rest[..len].parse().ok()?));
            rest = &rest[len..];
        } else if c.is_ascii_alphabetic() || c == '_' {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let name = rest[..len].to_owned();
            rest = &rest[len..];
            let calls =
                rest.starts_with('(') && !matches!(name.as_str(), "if" | "print" | "printf");
            out.push(if calls { Token::Function(name) } else { Token::Name(name) });
        } else {
            let sign = SIGNS.iter().find(|s| rest.starts_with(**s))?;
            out.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        }
    }
}

/// Where the text before the next such mark ends.
fn end_of(text: &str, mark: char) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return None,
            c if c == mark => return Some(i),
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    super::super::printf::unescape(&text.replace("\\\"", "\"").replace("\\/", "/"))
}

fn regex_may_follow(before: Option<&Token>) -> bool {
    match before {
        None | Some(Token::Newline) => true,
        Some(Token::Sign(sign)) => !matches!(*sign, ")" | "]" | "$"),
        _ => false,
    }
}

/// The rules of a program; `None` if there is something in it that is not understood.
pub(super) fn program(text: &str) -> Option<Vec<Rule>> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let mut rules = Vec::new();
    loop {
        parser.ends();
        if parser.at == parser.tokens.len() {
            return (!rules.is_empty()).then_some(rules);
        }
        rules.push(parser.rule()?);
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(s)) if *s == sign)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn eat_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(n)) if n == name);
        self.at += usize::from(found);
        found
    }

    /// Goes past line ends.
    fn lines(&mut self) {
        while self.peek() == Some(&Token::Newline) {
            self.at += 1;
        }
    }

    /// Goes past line ends and semicolons.
    fn ends(&mut self) {
        while self.peek() == Some(&Token::Newline) || self.is(";") {
            self.at += 1;
        }
    }

    fn rule(&mut self) -> Option<Rule> {
        let pattern = if self.eat_name("BEGIN") {
            Pattern::Begin
        } else if self.eat_name("END") {
            Pattern::End
        } else if self.is("{") {
            Pattern::Always
        } else {
            Pattern::When(self.expression()?)
        };
        let body = if self.eat("{") { Some(self.block()?) } else { None };
        if body.is_none() && !matches!(pattern, Pattern::When(_)) {
            return None;
        }
        Some(Rule { pattern, body })
    }

    /// After `{`.
    fn block(&mut self) -> Option<Vec<Statement>> {
        let mut out = Vec::new();
        loop {
            self.ends();
            if self.eat("}") {
                return Some(out);
            }
            self.statement(&mut out)?;
            let ended = self.is("}") || self.is(";") || self.peek() == Some(&Token::Newline);
            // A block ends by itself.
            let block = matches!(out.last(), Some(Statement::If(..)))
                || matches!(self.tokens.get(self.at.wrapping_sub(1)), Some(Token::Sign("}")));
            if !ended && !block {
                return None;
            }
        }
    }

    fn statement(&mut self, out: &mut Vec<Statement>) -> Option<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        if self.eat("{") {
            out.extend(self.block()?);
        } else if self.eat_name("if") {
            out.push(self.if_()?);
        } else if self.eat_name("print") {
            out.push(Statement::Print(self.list()?));
        } else if self.eat_name("printf") {
            out.push(Statement::Printf(self.list()?));
        } else if self.eat_name("next") {
            out.push(Statement::Next);
        } else if self.eat_name("exit") {
            if !(self.is("}") || self.is(";") || self.peek() == Some(&Token::Newline)) {
                self.expression()?;
            }
            out.push(Statement::Exit);
        } else {
            out.push(Statement::Do(self.expression()?));
        }
        self.depth -= 1;
        Some(())
    }

    fn if_(&mut self) -> Option<Statement> {
        if !self.eat("(") {
            return None;
        }
        let condition = self.expression()?;
        if !self.eat(")") {
            return None;
        }
        self.lines();
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        self.statement(&mut yes)?;
        let before = self.at;
        self.ends();
        if self.eat_name("else") {
            self.lines();
            self.statement(&mut no)?;
        } else {
            self.at = before;
        }
        Some(Statement::If(condition, yes, no))
    }

    /// What `print` prints; it must not go to a file or a command.
    fn list(&mut self) -> Option<Vec<Expr>> {
        let mut out = Vec::new();
        if self.is("}") || self.is(";") || matches!(self.peek(), None | Some(Token::Newline)) {
            return Some(out);
        }
        loop {
            out.push(self.unredirected()?);
            if !self.eat(",") {
                break;
            }
        }
        (!self.is(">") && !self.is("|")).then_some(out)
    }

    /// An expression in which `>` would be a redirection.
    fn unredirected(&mut self) -> Option<Expr> {
        let from = self.at;
        let expression = self.expression()?;
        let mut depth = 0i32;
        for token in &self.tokens[from..self.at] {
            match token {
                Token::Sign("(") => depth += 1,
                Token::Sign(")") => depth -= 1,
                Token::Function(_) => {}
                Token::Sign(">") if depth == 0 => return None,
                _ => {}
            }
        }
        Some(expression)
    }

    fn expression(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let left = self.binary(0)?;
        let expression = if self.eat("?") {
            let yes = self.expression()?;
            if !self.eat(":") {
                return None;
            }
            let no = self.expression()?;
            Expr::Choice(Box::new(left), Box::new(yes), Box::new(no))
        } else if matches!(left, Expr::Variable(_) | Expr::Field(_)) {
            self.assignment(left)?
        } else {
            left
        };
        self.depth -= 1;
        Some(expression)
    }

    fn assignment(&mut self, left: Expr) -> Option<Expr> {
        if self.eat("=") {
            return Some(Expr::Assign(Box::new(left), Box::new(self.expression()?)));
        }
        for (sign, operator) in [("+=", "+"), ("-=", "-"), ("*=", "*"), ("/=", "/"), ("%=", "%")] {
            if self.eat(sign) {
                let right = self.expression()?;
                let old = same(&left)?;
                let new = Expr::Binary(operator, Box::new(old), Box::new(right));
                return Some(Expr::Assign(Box::new(left), Box::new(new)));
            }
        }
        if self.eat("++") || self.is("--") {
            // What it was before is rarely asked for; as a statement it only counts.
            let ended =
                self.is("}") || self.is(";") || matches!(self.peek(), None | Some(Token::Newline));
            let old = same(&left).filter(|_| ended)?;
            let new = Expr::Binary("+", Box::new(old), Box::new(Expr::Number(1.0)));
            return Some(Expr::Assign(Box::new(left), Box::new(new)));
        }
        Some(left)
    }

    fn binary(&mut self, level: usize) -> Option<Expr> {
        const LEVELS: &[&[&str]] = &[
            &["||"],
            &["&&"],
            &["~", "!~"],
            &["==", "!=", "<=", ">=", "<", ">"],
            &[""],
            &["+", "-"],
            &["*", "/", "%"],
        ];
        let Some(signs) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let found = match signs {
                [""] => self.operand_follows().then_some(""),
                signs => signs.iter().copied().find(|s| self.is(s)),
            };
            let Some(sign) = found else { return Some(left) };
            if !sign.is_empty() {
                self.at += 1;
            }
            if matches!(sign, "||" | "&&") {
                self.lines();
            }
            let right = self.binary(level + 1)?;
            left = Expr::Binary(sign, Box::new(left), Box::new(right));
        }
    }

    /// Whether the next token begins an operand, and so two texts are put together.
    fn operand_follows(&self) -> bool {
        match self.peek() {
            Some(Token::Text(_) | Token::Number(_) | Token::Function(_)) => true,
            Some(Token::Name(name)) => !matches!(name.as_str(), "in" | "getline" | "else"),
            Some(Token::Sign(sign)) => matches!(*sign, "$" | "("),
            _ => false,
        }
    }

    fn unary(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let expression = if self.eat("!") {
            Expr::Not(Box::new(self.unary()?))
        } else if self.eat("-") {
            Expr::Negative(Box::new(self.unary()?))
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Some(expression)
    }

    fn primary(&mut self) -> Option<Expr> {
        let token = self.peek()?.clone();
        self.at += 1;
        Some(match token {
            Token::Text(text) => Expr::Text(text),
            Token::Number(number) => Expr::Number(number),
            Token::Regex(regex) => Expr::Regex(regex),
            Token::Name(name) => {
                let other = self.is("[") || matches!(name.as_str(), "getline" | "in" | "function");
                if other {
                    return None;
                }
                Expr::Variable(name)
            }
            Token::Function(name) => {
                self.at += 1;
                let mut arguments = Vec::new();
                if !self.eat(")") {
                    loop {
                        arguments.push(self.expression()?);
                        if self.eat(")") {
                            break;
                        }
                        if !self.eat(",") {
                            return None;
                        }
                    }
                }
                Expr::Call(name, arguments)
            }
            Token::Sign("(") => {
                let inner = self.expression()?;
                if !self.eat(")") {
                    return None;
                }
                inner
            }
            Token::Sign("$") => Expr::Field(Box::new(self.primary()?)),
            _ => return None,
        })
    }
}

/// A variable or field once more, to be read.
fn same(left: &Expr) -> Option<Expr> {
    match left {
        Expr::Variable(name) => Some(Expr::Variable(name.clone())),
        Expr::Field(index) => match &**index {
            Expr::Number(number) => Some(Expr::Field(Box::new(Expr::Number(*number)))),
            _ => None,
        },
        _ => None,
    }
}
