//! What is wrong with a file, and how that is said.

use serde::{Deserialize, Serialize};

use super::elf::ElfFacts;
use crate::layer::entry::ImagePath;

/// A file that will not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// Where it is.
    pub path: ImagePath,
    /// The number of the layer that brought it.
    pub layer: usize,
    /// What it says of itself.
    pub facts: ElfFacts,
    /// What is wrong with it.
    pub reason: WrongReason,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WrongReason {
    /// It is for another machine.
    Machine,
    /// It is for another of the machine's ABIs.
    Abi {
        /// The ABI that it is for.
        own: String,
        /// The one that the image has.
        image: String,
    },
    /// It is an x32 program, which hardly any kernel runs.
    X32,
    /// The container starts with it, and nobody may execute it.
    Mode,
    /// The program interpreter that it asks for is not in the image.
    Interpreter,
    /// What stands in its place does not run: it is for this machine, or no ELF file at all.
    BrokenInterpreter {
        /// The machine.
        machine: Option<String>,
    },
    /// A library that it needs is not in the image, or not so that it can be used.
    Library {
        /// The library.
        name: String,
        /// The library that needs it, if it is not the program itself.
        by: Option<ImagePath>,
        /// What there is of it.
        instead: Option<Instead>,
    },
}

/// What an image has of a library that a program does not find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instead {
    /// It lies where no loader looks.
    Astray {
        /// Where.
        at: ImagePath,
        /// Whether `ld.so.conf` names the directory, and only `ldconfig` has not read it.
        configured: bool,
    },
    /// A link that leads nowhere.
    Dangling {
        /// Where.
        at: ImagePath,
    },
    /// It is for another machine.
    Foreign {
        /// Where.
        at: ImagePath,
        /// The machine.
        machine: String,
    },
}

impl Instead {
    /// In words, behind the library's name.
    fn describe(&self) -> String {
        match self {
            Self::Astray { at, configured } => {
                let way_out = match configured {
                    true => ": ld.so.conf names the directory, and ldconfig has not run since",
                    false => "",
                };
                format!("is at {}, where the loader does not look{way_out}", at.display())
            }
            Self::Dangling { at } => format!("is at {} a link that leads nowhere", at.display()),
            Self::Foreign { at, machine } => format!("is at {}, and is {machine}", at.display()),
        }
    }
}

impl WrongReason {
    /// The kind of defect in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Abi { .. } | Self::X32 => "abi",
            Self::Mode => "mode",
            Self::Interpreter | Self::BrokenInterpreter { .. } => "interpreter",
            Self::Library { .. } => "library",
        }
    }
}

impl Wrong {
    /// In words.
    pub fn describe(&self) -> String {
        let path = self.path.display();
        let interpreter = self.facts.interpreter.as_deref().unwrap_or("an interpreter");
        match &self.reason {
            WrongReason::Machine => format!("{path} is {}", self.facts.machine_name()),
            WrongReason::Abi { own, image } => {
                format!("{path} is for {own}, and the image has {image}")
            }
            WrongReason::X32 => {
                format!("{path} is x86-64 (x32), which few kernels run: it must be switched on")
            }
            WrongReason::Mode => format!("{path} has no permission to be executed"),
            WrongReason::Interpreter => {
                format!("{path} needs {interpreter}, which is not in the image")
            }
            WrongReason::BrokenInterpreter { machine } => {
                let machine = machine.as_deref().unwrap_or("no ELF file");
                format!("{path} needs {interpreter}, which is {machine}")
            }
            WrongReason::Library { name, by, instead } => {
                let by = by.as_ref().map(|by| format!(" for {}", by.display())).unwrap_or_default();
                let which = match instead {
                    None => "is not in the image".to_owned(),
                    Some(instead) => instead.describe(),
                };
                format!("{path} needs {name}{by}, which {which}")
            }
        }
    }
}
