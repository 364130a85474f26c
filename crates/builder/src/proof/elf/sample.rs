//! ELF files for tests: no code, but all that is looked at.

use super::{Dynamic, ElfFacts};

/// What is in the file.
pub struct Sample<'a> {
    pub machine: u16,
    pub wide: bool,
    pub little: bool,
    pub flags: u32,
    /// `e_type`: 2 for a program, 3 for a library.
    pub kind: u16,
    pub interpreter: Option<&'a str>,
    pub needed: &'a [&'a str],
    pub runpath: Option<&'a str>,
    pub rpath: Option<&'a str>,
    /// Bytes between the names and the dynamic section.
    pub gap: usize,
    /// Bytes before the names.
    pub names_behind: usize,
}

impl Default for Sample<'_> {
    fn default() -> Self {
        Self {
            machine: 62,
            wide: true,
            little: true,
            flags: 0,
            kind: 2,
            interpreter: None,
            needed: &[],
            runpath: None,
            rpath: None,
            gap: 0,
            names_behind: 0,
        }
    }
}

/// What the facts of a sample say of its libraries.
pub fn dynamic(needed: &[&str], rpath: Option<&str>, runpath: Option<&str>) -> Box<Dynamic> {
    Box::new(Dynamic {
        needed: needed.iter().map(|n| (*n).to_owned()).collect(),
        rpath: rpath.map(str::to_owned),
        runpath: runpath.map(str::to_owned),
    })
}

impl Sample<'_> {
    /// What is read from it.
    pub fn facts(&self) -> ElfFacts {
        ElfFacts::read(&self.bytes()).expect("a sample is an ELF file")
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut names = vec![0u8];
        let mut name = |text: &str| {
            let at = names.len() as u64;
            names.extend(text.bytes());
            names.push(0);
            at
        };
        let mut tags: Vec<(u64, u64)> = self.needed.iter().map(|n| (1, name(n))).collect();
        tags.extend(self.runpath.map(|p| (29, name(p))));
        tags.extend(self.rpath.map(|p| (15, name(p))));
        let interpreter = self.interpreter.map(|path| [path.as_bytes(), b"\0"].concat());
        let is_dynamic = !tags.is_empty();
        let count = usize::from(interpreter.is_some()) + if is_dynamic { 2 } else { 0 };
        let (header, entry) = if self.wide { (64, 56) } else { (52, 32) };
        let interp_at = header + entry * count;
        let names_at = interp_at + interpreter.as_ref().map_or(0, Vec::len) + self.names_behind;
        let section_at = names_at + names.len() + self.gap;
        tags.push((5, 0x1000 + names_at as u64));
        tags.push((0, 0));
        let word = if self.wide { 8 } else { 4 };
        let section_length = tags.len() * 2 * word;

        let mut out = b"\x7fELF".to_vec();
        out.extend([1 + u8::from(self.wide), 2 - u8::from(self.little), 1, 0]);
        out.extend([0; 8]);
        self.put(&mut out, 2, u64::from(self.kind));
        self.put(&mut out, 2, u64::from(self.machine));
        self.put(&mut out, 4, 1);
        self.put(&mut out, word, 0);
        self.put(&mut out, word, if count > 0 { header as u64 } else { 0 });
        self.put(&mut out, word, 0);
        self.put(&mut out, 4, u64::from(self.flags));
        for value in [header, entry, count, 0, 0, 0] {
            self.put(&mut out, 2, value as u64);
        }
        if let Some(path) = &interpreter {
            self.segment(&mut out, 3, interp_at, path.len());
        }
        if is_dynamic {
            self.segment(&mut out, 1, 0, names_at + names.len());
            self.segment(&mut out, 2, section_at, section_length);
        }
        out.extend(interpreter.unwrap_or_default());
        if is_dynamic {
            out.resize(names_at, 0);
            out.extend(names);
            out.resize(section_at, 0);
            for (tag, value) in tags {
                self.put(&mut out, word, tag);
                self.put(&mut out, word, value);
            }
        }
        out
    }

    /// A program header: what lies at an offset is at 0x1000 more in memory.
    fn segment(&self, out: &mut Vec<u8>, kind: u64, at: usize, length: usize) {
        let (at, length) = (at as u64, length as u64);
        let word = if self.wide { 8 } else { 4 };
        self.put(out, 4, kind);
        if self.wide {
            self.put(out, 4, 4);
        }
        for value in [at, at + 0x1000, at + 0x1000, length, length] {
            self.put(out, word, value);
        }
        if !self.wide {
            self.put(out, 4, 4);
        }
        self.put(out, word, 1);
    }

    fn put(&self, out: &mut Vec<u8>, size: usize, value: u64) {
        let bytes = value.to_le_bytes();
        match self.little {
            true => out.extend(&bytes[..size]),
            false => out.extend(bytes[..size].iter().rev()),
        }
    }
}
