//! Just enough of an assembler for seccomp's filter programs.

use libc::sock_filter;

/// `struct seccomp_data`: where things are.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const JUMP_EQ: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_GE: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const JUMP_SET: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// A program being written. Inside [`Program::for_arch`] the accumulator holds the call's number
/// before each of the tests, and again after it.
pub(super) struct Program {
    code: Vec<sock_filter>,
}

fn errno_action(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA)
}

impl Program {
    pub(super) fn new() -> Self {
        let mut program = Self { code: Vec::new() };
        program.load(ARCH);
        program
    }

    pub(super) fn finish(self) -> Vec<sock_filter> {
        self.code
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) {
        self.code.push(sock_filter { code, jt, jf, k });
    }

    fn load(&mut self, offset: u32) {
        self.push(LOAD, 0, 0, offset);
    }

    /// The low half of an argument: flags and small numbers live there.
    fn load_argument(&mut self, index: u32) {
        let low = if cfg!(target_endian = "big") { 4 } else { 0 };
        self.load(ARGUMENTS + 8 * index + low);
    }

    fn give(&mut self, action: u32) {
        self.push(RETURN, 0, 0, action);
    }

    pub(super) fn allow(&mut self) {
        self.give(libc::SECCOMP_RET_ALLOW);
    }

    pub(super) fn kill(&mut self) {
        self.give(libc::SECCOMP_RET_KILL_PROCESS);
    }

    /// A part for one machine. It must end by giving a verdict.
    pub(super) fn for_arch(&mut self, audit: u32, body: impl FnOnce(&mut Self)) {
        self.push(JUMP_EQ, 1, 0, audit);
        // Conditional jumps reach 255 instructions, this one any number.
        let over = self.code.len();
        self.push(JUMP, 0, 0, 0);
        self.load(NUMBER);
        body(self);
        self.code[over].k = (self.code.len() - over - 1) as u32;
    }

    pub(super) fn errno_if(&mut self, number: u32, errno: i32) {
        self.push(JUMP_EQ, 0, 1, number);
        self.give(errno_action(errno));
    }

    /// For a list of numbers, which are sorted here, and the end of a part: all others are allowed.
    ///
    /// A tree rather than a chain. When a filter is installed the kernel runs it for every call
    /// there is, and a chain would make that the slowest thing in a step's set-up.
    pub(super) fn errno_if_any_else_allow(&mut self, mut numbers: Vec<u32>, errno: i32) {
        numbers.sort_unstable();
        numbers.dedup();
        self.search(&numbers, errno);
    }

    fn search(&mut self, numbers: &[u32], errno: i32) {
        match numbers {
            [] => self.allow(),
            [one] => {
                self.errno_if(*one, errno);
                self.allow();
            }
            _ => {
                let (low, high) = numbers.split_at(numbers.len() / 2);
                // Over the instruction that leads to the high half.
                self.push(JUMP_GE, 0, 1, high[0]);
                let over = self.code.len();
                self.push(JUMP, 0, 0, 0);
                self.search(low, errno);
                self.code[over].k = (self.code.len() - over - 1) as u32;
                self.search(high, errno);
            }
        }
    }

    /// For numbers from `first` on and below `end`; without an end for all from `first` on.
    pub(super) fn errno_between(&mut self, first: u32, end: Option<u32>, errno: i32) {
        match end {
            Some(end) => {
                self.push(JUMP_GE, 0, 2, first);
                self.push(JUMP_GE, 1, 0, end);
            }
            None => self.push(JUMP_GE, 0, 1, first),
        }
        self.give(errno_action(errno));
    }

    /// For a call whose argument has any of the bits.
    pub(super) fn errno_if_masked(&mut self, number: u32, index: u32, bits: u32, errno: i32) {
        self.push(JUMP_EQ, 0, 4, number);
        self.load_argument(index);
        self.push(JUMP_SET, 0, 1, bits);
        self.give(errno_action(errno));
        self.load(NUMBER);
    }

    /// For a call whose argument is this value.
    pub(super) fn errno_if_argument(&mut self, number: u32, index: u32, value: u32, errno: i32) {
        self.push(JUMP_EQ, 0, 4, number);
        self.load_argument(index);
        self.push(JUMP_EQ, 0, 1, value);
        self.give(errno_action(errno));
        self.load(NUMBER);
    }

    /// For a call whose argument is none of the values.
    pub(super) fn errno_unless_one_of(
        &mut self,
        number: u32,
        index: u32,
        values: &[u32],
        errno: i32,
    ) {
        let count = u8::try_from(values.len()).unwrap_or(u8::MAX - 3);
        self.push(JUMP_EQ, 0, count + 3, number);
        self.load_argument(index);
        for (position, value) in values.iter().take(usize::from(count)).enumerate() {
            // Over the remaining comparisons and the refusal.
            self.push(JUMP_EQ, count - position as u8, 0, *value);
        }
        self.give(errno_action(errno));
        self.load(NUMBER);
    }
}

/// The kernel's reading of a program, for tests.
#[cfg(test)]
pub(super) fn evaluate(
    program: &[sock_filter],
    arch: u32,
    number: u32,
    arguments: [u64; 6],
) -> u32 {
    let mut data = Vec::new();
    data.extend_from_slice(&number.to_ne_bytes());
    data.extend_from_slice(&arch.to_ne_bytes());
    data.extend_from_slice(&0_u64.to_ne_bytes());
    for argument in arguments {
        data.extend_from_slice(&argument.to_ne_bytes());
    }
    let (mut at, mut value) = (0, 0);
    loop {
        let step = &program[at];
        at += 1;
        let branch = |yes: bool| usize::from(if yes { step.jt } else { step.jf });
        match step.code {
            LOAD => {
                let from = step.k as usize;
                value = u32::from_ne_bytes(data[from..from + 4].try_into().unwrap());
            }
            JUMP => at += step.k as usize,
            JUMP_EQ => at += branch(value == step.k),
            JUMP_GE => at += branch(value >= step.k),
            JUMP_SET => at += branch(value & step.k != 0),
            RETURN => return step.k,
            other => panic!("no such instruction: {other:#x}"),
        }
    }
}
