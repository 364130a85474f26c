//! `--chmod`: octal, or in the words of chmod(1).

use serde::Serialize;

/// A mode to be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Mode {
    /// This one, whatever was there.
    Set(u32),
    /// What was there, changed.
    Change(Vec<Change>),
}

/// One change: `u+x`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// For whom: bits of [`USER`], [`GROUP`] and [`OTHER`].
    who: u8,
    op: Op,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Op {
    Add,
    Remove,
    Assign,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum What {
    /// `rwx` in the lowest three bits, and whether there are `X`, `s` and `t`.
    Bits { rwx: u32, conditional: bool, set_id: bool, sticky: bool },
    /// What the user, the group or the others may.
    Copy(u8),
}

const USER: u8 = 4;
const GROUP: u8 = 2;
const OTHER: u8 = 1;

impl Mode {
    /// Reads a mode. No umask counts: `+x` is for all.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(mode) = u32::from_str_radix(text, 8) {
            return (mode <= 0o7777 && !text.starts_with('+')).then_some(Self::Set(mode));
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            let start = clause.find(['+', '-', '='])?;
            let who = clause[..start].chars().try_fold(0, |who, c| Some(who | whom(c)?))?;
            let who = if who == 0 { USER | GROUP | OTHER } else { who };
            let mut rest = &clause[start..];
            while let Some(op) = rest.chars().next() {
                let op = match op {
                    '+' => Op::Add,
                    '-' => Op::Remove,
                    '=' => Op::Assign,
                    _ => return None,
                };
                let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |at| at + 1);
                changes.push(Change { who, op, what: what(&rest[1..end])? });
                rest = &rest[end..];
            }
        }
        Some(Self::Change(changes))
    }

    /// The mode of what had the mode `old`.
    pub fn apply(&self, old: u32, is_dir: bool) -> u32 {
        match self {
            Self::Set(mode) => *mode,
            Self::Change(changes) => changes.iter().fold(old, |mode, c| c.apply(mode, is_dir)),
        }
    }

    /// The mode of directories that come into being on the way. Special bits are for what is copied.
    pub fn of_new_directories(&self) -> Option<u32> {
        match self {
            Self::Set(mode) => Some(*mode & 0o777),
            Self::Change(_) => None,
        }
    }
}

impl Change {
    fn apply(&self, mode: u32, is_dir: bool) -> u32 {
        let mut bits = 0;
        let mut mask = 0;
        for (who, shift, id) in [(USER, 6, 0o4000), (GROUP, 3, 0o2000), (OTHER, 0, 0)] {
            if self.who & who == 0 {
                continue;
            }
            // What is taken from another class says nothing of the special bits.
            let special = if matches!(self.what, What::Copy(_)) { 0 } else { id };
            mask |= 0o7 << shift | special;
            bits |= match self.what {
                What::Bits { rwx, conditional, set_id, .. } => {
                    let runs = conditional && (is_dir || mode & 0o111 != 0);
                    (rwx | u32::from(runs)) << shift | if set_id { id } else { 0 }
                }
                What::Copy(USER) => (mode >> 6 & 7) << shift,
                What::Copy(GROUP) => (mode >> 3 & 7) << shift,
                What::Copy(_) => (mode & 7) << shift,
            };
        }
        if let What::Bits { sticky: true, .. } = self.what {
            bits |= 0o1000;
        }
        if self.who == USER | GROUP | OTHER {
            mask |= 0o1000;
        }
        match self.op {
            Op::Add => mode | bits,
            Op::Remove => mode & !bits,
            Op::Assign => mode & !mask | bits,
        }
    }
}

fn whom(c: char) -> Option<u8> {
    Some(match c {
        'u' => USER,
        'g' => GROUP,
        'o' => OTHER,
        'a' => USER | GROUP | OTHER,
        _ => return None,
    })
}

fn what(text: &str) -> Option<What> {
    if let Some(copied @ ('u' | 'g' | 'o')) = text.chars().next() {
        return (text.len() == 1).then(|| whom(copied).map(What::Copy))?;
    }
    let (mut rwx, mut conditional, mut set_id, mut sticky) = (0, false, false, false);
    for c in text.chars() {
        match c {
            'r' => rwx |= 4,
            'w' => rwx |= 2,
            'x' => rwx |= 1,
            'X' => conditional = true,
            's' => set_id = true,
            't' => sticky = true,
            _ => return None,
        }
    }
    Some(What::Bits { rwx, conditional, set_id, sticky })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_as_chmod_reads_them() {
        for (text, old, is_dir, want) in [
            ("755", 0o600, false, 0o755),
            ("4711", 0, false, 0o4711),
            ("u+x", 0o644, false, 0o744),
            ("+x", 0o640, false, 0o751),
            ("a=r", 0o4777, false, 0o444),
            ("go-rwx", 0o777, false, 0o700),
            ("u=rwx,g=rx,o=", 0o666, false, 0o750),
            ("a+X", 0o640, false, 0o640),
            ("a+X", 0o640, true, 0o751),
            ("a+X", 0o740, false, 0o751),
            ("u+s,g+s,+t", 0o755, false, 0o7755),
            ("g=u", 0o750, false, 0o770),
            ("u=rw+x", 0o444, false, 0o744),
            ("o-t", 0o1777, true, 0o777),
        ] {
            let mode = Mode::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(mode.apply(old, is_dir), want, "{text} on {old:o}");
        }
        for bad in ["", "8", "10000", "x", "u", "u+q", "u+gx", "u+x,", "rw", "z+x"] {
            assert_eq!(Mode::parse(bad), None, "{bad}");
        }
    }
}
