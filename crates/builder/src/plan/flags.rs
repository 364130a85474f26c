//! Flags: which an instruction knows, which this builder can't do yet.

use mlint_syntax::{Flag, Instruction};

use crate::problem::{BuildError, Problem};

/// Flags that BuildKit knows and this builder does not.
const UNSUPPORTED: &[(&str, &str)] = &[("RUN", "device")];

/// Fails at the first flag that is not among those supported.
pub fn check(instruction: &Instruction, supported: &[&str]) -> Result<(), BuildError> {
    let keyword = instruction.keyword.as_str().to_uppercase();
    for flag in &instruction.flags {
        let name = flag.name.as_str();
        if supported.contains(&name) {
            continue;
        }
        let problem = if UNSUPPORTED.contains(&(keyword.as_str(), name)) {
            Problem::unsupported(format!("{keyword} --{name}"))
        } else {
            Problem::UnknownFlag { flag: format!("--{name}"), instruction: keyword }
        };
        return Err(problem.at(flag.span));
    }
    Ok(())
}

/// A flag that is on or off: `--link`, `--link=true`, `--link=false`.
pub fn switch(flag: Option<&Flag>) -> Result<bool, BuildError> {
    Ok(chosen(flag)?.unwrap_or(false))
}

/// The same for a flag whose absence is neither.
pub fn chosen(flag: Option<&Flag>) -> Result<Option<bool>, BuildError> {
    let Some(flag) = flag else { return Ok(None) };
    match flag.value.as_ref().map(|v| v.as_str()) {
        None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(Some(true)),
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(Some(false)),
        Some(value) => Err(Problem::BadValue {
            what: format!("--{}", flag.name.as_str()),
            value: value.to_owned(),
            expected: "true or false",
        }
        .at(flag.span)),
    }
}
