//! Archives from text, with all that an honest tool would not write.
//!
//! | line | means |
//! |---|---|
//! | `dir P`, `file P TEXT`, `fifo P`, `char P`, `block P` | members |
//! | `link P -> T`, `hard P = T` | links |
//! | `type X P` | a member of any type |
//! | `pax KEY=VALUE` | a record for the next member |
//! | `rawpax TEXT` | a whole PAX header as given |
//! | `global KEY=VALUE` | a global header |
//! | `long N`, `longlink N` | a GNU header with the name, or link, of the next member |
//! | `size FIELD` | the next member's size field, as text or `huge`, `negative` |
//! | `sum` | the next member's checksum is wrong |
//! | `cut N` | so many bytes are missing at the end |
//! | `end` | the mark of the end, in the midst |
//!
//! `{x*N}` is N times x; `\0` and `\n` are read.

const BLOCK: usize = 512;

/// The archive that the lines describe; `OUT` in them is the directory outside.
pub fn archive(lines: &[&str], outside: &str) -> Vec<u8> {
    let mut tar = Tar::default();
    let mut cut = 0;
    for line in lines {
        let line = line.replace("OUT", outside);
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "cut" => cut = rest.parse().unwrap(),
            "end" => tar.out.extend([0; 2 * BLOCK]),
            word => tar.line(word, rest),
        }
    }
    tar.out.extend([0; 2 * BLOCK]);
    tar.out.truncate(tar.out.len() - cut);
    tar.out
}

#[derive(Default)]
struct Tar {
    out: Vec<u8>,
    size: Option<String>,
    wrong_sum: bool,
}

impl Tar {
    fn line(&mut self, word: &str, rest: &str) {
        let split = |mark: &str| {
            let (path, to) = rest.split_once(mark).unwrap_or((rest, ""));
            (read(path), read(to))
        };
        match word {
            "dir" => self.member(b'5', &read(rest), b"", b""),
            "file" => {
                let (path, text) = split(" ");
                self.member(b'0', &path, b"", &text);
            }
            "link" => {
                let (path, to) = split(" -> ");
                self.member(b'2', &path, &to, b"");
            }
            "hard" => {
                let (path, to) = split(" = ");
                self.member(b'1', &path, &to, b"");
            }
            "fifo" => self.member(b'6', &read(rest), b"", b""),
            "char" => self.member(b'3', &read(rest), b"", b""),
            "block" => self.member(b'4', &read(rest), b"", b""),
            "type" => {
                let (kind, path) = split(" ");
                self.member(kind[0], &path, b"", b"");
            }
            "pax" => {
                let record = record(&read(rest));
                self.member(b'x', b"pax", b"", &record);
            }
            "rawpax" => self.member(b'x', b"pax", b"", &read(rest)),
            "global" => {
                let record = record(&read(rest));
                self.member(b'g', b"pax", b"", &record);
            }
            "long" => self.member(b'L', b"././@LongLink", b"", &read(rest)),
            "longlink" => self.member(b'K', b"././@LongLink", b"", &read(rest)),
            "size" => self.size = Some(rest.to_owned()),
            "sum" => self.wrong_sum = true,
            other => panic!("no such member: {other}"),
        }
    }

    fn member(&mut self, kind: u8, name: &[u8], link: &[u8], body: &[u8]) {
        let mut head = [0; BLOCK];
        let mut put = |at: usize, room: usize, bytes: &[u8]| {
            let n = bytes.len().min(room);
            head[at..at + n].copy_from_slice(&bytes[..n]);
        };
        put(0, 100, name);
        put(100, 8, b"0000755\0");
        put(108, 8, format!("{:07o}\0", rustix::process::getuid().as_raw()).as_bytes());
        put(116, 8, format!("{:07o}\0", rustix::process::getgid().as_raw()).as_bytes());
        match self.size.take().as_deref() {
            None => put(124, 12, format!("{:011o}\0", body.len()).as_bytes()),
            Some("huge") => {
                put(124, 12, &[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
            }
            Some("negative") => put(124, 12, &[0xff; 12]),
            Some(text) => put(124, 12, text.as_bytes()),
        }
        put(136, 12, b"00000000001\0");
        put(156, 1, &[kind]);
        put(157, 100, link);
        put(257, 8, b"ustar\x0000");
        if matches!(kind, b'3' | b'4') {
            put(329, 8, b"0000001\0");
            put(337, 8, b"0000003\0");
        }
        put(148, 8, b"        ");
        let sum = head.iter().map(|b| u32::from(*b)).sum::<u32>() + u32::from(self.wrong_sum);
        self.wrong_sum = false;
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.extend(head);
        self.out.extend(body);
        let over = body.len() % BLOCK;
        if over > 0 {
            self.out.extend(vec![0; BLOCK - over]);
        }
    }
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(text: &[u8]) -> Vec<u8> {
    let mut len = text.len() + 2;
    while len != text.len() + 2 + len.to_string().len() {
        len = text.len() + 2 + len.to_string().len();
    }
    [len.to_string().as_bytes(), b" ", text, b"\n"].concat()
}

fn read(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.extend(before.as_bytes());
        let (repeated, next) = after.split_once('}').expect("{x*N}");
        let (unit, times) = repeated.rsplit_once('*').expect("{x*N}");
        out.extend(unit.repeat(times.parse().unwrap()).as_bytes());
        rest = next;
    }
    out.extend(rest.as_bytes());
    String::from_utf8(out).unwrap().replace("\\0", "\0").replace("\\n", "\n").into_bytes()
}
