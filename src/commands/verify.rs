//! `mlint verify`.

use std::{io::Write, path::Path, process::ExitCode};

use clap::Args;
use mlint_builder::{
    request::{ImageSource, VerifyRequest},
    sandbox::session::spawn,
    verify::{VerifiedFile, VerifiedPlatform, VerifyOutcome, VerifyReply},
};
use serde_json::{Value, json};

use super::{
    build::{MachineArgs, cache_dir, session_options},
    session::SessionRequest,
};
use crate::report::{ListFormat, counted, failure};

/// How many files are shown per platform.
const SHOWN: usize = 20;

/// Arguments of `mlint verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// The image: a name in a registry, oci:DIR[:TAG], oci-archive:FILE[:TAG],
    /// docker-archive:FILE[:NAME], or the path of a layout or an archive
    pub image: String,
    /// Platforms that must be there and right, separated by commas [default: all that are there]
    #[arg(long, visible_alias = "platform", value_delimiter = ',', value_name = "P,…")]
    pub platforms: Vec<String>,
    /// Let files of another machine pass at paths that match: /opt/tool, or /opt/** for all below a
    /// directory
    #[arg(long, value_name = "PATTERN")]
    pub allow_foreign: Vec<String>,
    /// How to write what was found
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
    /// What the builder runs with
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Runs the command: 0 all right, 1 wrong files or missing platforms, 2 could not look.
pub fn run(args: &VerifyArgs) -> ExitCode {
    match try_run(args) {
        Ok(code) => code,
        Err(message) => {
            failure::say(&message);
            ExitCode::from(2)
        }
    }
}

fn try_run(args: &VerifyArgs) -> Result<ExitCode, String> {
    let request = VerifyRequest {
        source: source(&args.image)?,
        platforms: args.platforms.clone(),
        allow_foreign: args.allow_foreign.clone(),
        plain_http: args.machine.plain_http.clone(),
        cache_dir: cache_dir(args.machine.cache_dir.as_deref())?,
        cache_max: args.machine.cache_max_size,
    };
    let options = session_options(&args.machine)?;
    let bytes = serde_json::to_vec(&SessionRequest::Verify(request)).map_err(|e| e.to_string())?;
    let exit = spawn(&bytes, &options).map_err(|e| e.to_string())?;
    let reply: VerifyReply = serde_json::from_slice(&exit.reply)
        .map_err(|e| format!("the session's answer cannot be read: {e}"))?;
    match reply {
        VerifyReply::Failed(failed) => Err(failed.message),
        VerifyReply::Done(outcome) => {
            let mut out = anstream::stdout().lock();
            let fine = |p: &VerifiedPlatform| !p.missing && p.says.is_none() && p.wrong.is_empty();
            // A reader that has seen enough is no failure.
            let _ = match args.format {
                ListFormat::Json => writeln!(out, "{:#}", document(&args.image, &outcome)),
                ListFormat::Text => outcome
                    .platforms
                    .iter()
                    .flat_map(lines)
                    .try_for_each(|line| writeln!(out, "{line}")),
            };
            Ok(ExitCode::from(u8::from(!outcome.platforms.iter().all(fine))))
        }
    }
}

/// What an image's name means. A path that is there is what is meant, whatever it looks like.
fn source(text: &str) -> Result<ImageSource, String> {
    let here = |path: &str| Path::new(path).exists();
    let absolute = |path: &str| {
        std::path::absolute(path).map_err(|e| format!("cannot find the image {text}: {e}"))
    };
    let parts = |rest: &str| -> Result<_, String> {
        // Both may hold colons: the longest path that is there, else up to the first.
        let cuts = rest.match_indices(':').map(|(at, _)| at);
        let there = cuts.rev().find(|at| here(&rest[..*at])).or_else(|| rest.find(':'));
        let (path, target) = match there {
            Some(at) if !here(rest) => (&rest[..at], &rest[at + 1..]),
            _ => (rest, ""),
        };
        Ok((absolute(path)?, target.to_owned()))
    };
    if let Some(name) = text.strip_prefix("docker://") {
        return Ok(ImageSource::Registry(name.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("oci:") {
        let (path, target) = parts(rest)?;
        return Ok(ImageSource::Layout { path, target });
    }
    for prefix in ["oci-archive:", "docker-archive:"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            let (path, target) = parts(rest)?;
            return Ok(ImageSource::Archive { path, target });
        }
    }
    if here(text) {
        let (path, target) = (absolute(text)?, String::new());
        return match path.is_dir() {
            true if path.join("index.json").exists() => Ok(ImageSource::Layout { path, target }),
            true => Err(format!("{text} is no OCI layout: it has no index.json")),
            false => Ok(ImageSource::Archive { path, target }),
        };
    }
    let looks_like_path = text.starts_with(['/', '.']) || text.ends_with(".tar");
    match looks_like_path {
        true => Err(format!("there is no {text}")),
        false => Ok(ImageSource::Registry(text.to_owned())),
    }
}

fn lines(platform: &VerifiedPlatform) -> Vec<String> {
    let VerifiedPlatform { platform: name, elf_files, wrong, doubtful, missing, says, .. } =
        platform;
    if *missing {
        return vec![format!("{name}: missing")];
    }
    let doubts = match doubtful.len() {
        0 => String::new(),
        1 => ", 1 of them doubtful".to_owned(),
        many => format!(", {many} of them doubtful"),
    };
    let mut lines = vec![match wrong.len() {
        0 => format!("{name}: ok, {}{doubts}", counted(*elf_files, "ELF file")),
        1 => format!("{name}: 1 of {} is wrong{doubts}", counted(*elf_files, "ELF file")),
        many => format!("{name}: {many} of {elf_files} ELF files are wrong{doubts}"),
    }];
    if let Some(says) = says {
        lines.push(format!("{name}: wrong, the image's config says {says}"));
    }
    files(wrong, "", &mut lines);
    files(doubtful, "warning: ", &mut lines);
    lines
}

fn files(files: &[VerifiedFile], head: &str, lines: &mut Vec<String>) {
    for file in files.iter().take(SHOWN) {
        lines.push(format!("  {head}{}", file.problem));
        if let Some(created_by) = &file.created_by {
            lines.push(format!("    brought by: {created_by}"));
        }
    }
    if files.len() > SHOWN {
        lines.push(format!("  and {} more", files.len() - SHOWN));
    }
}

fn document(image: &str, outcome: &VerifyOutcome) -> Value {
    let file = |severity: &'static str| {
        move |f: &VerifiedFile| {
            json!({
                "path": f.path,
                "severity": severity,
                "reason": f.reason,
                "machine": f.machine,
                "message": f.problem,
                "layer": f.layer,
                "brought_by": f.created_by,
            })
        }
    };
    let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let platforms = outcome.platforms.iter().map(|p| {
        let files = p.wrong.iter().map(file("error")).chain(p.doubtful.iter().map(file("warning")));
        let state = match p.missing {
            true => "missing",
            false if p.says.is_some() || !p.wrong.is_empty() => "wrong",
            false => "ok",
        };
        json!({
            "platform": p.platform,
            "state": state,
            "digest": text(&p.digest),
            "elf_files": p.elf_files,
            "config_says": p.says,
            "files": files.collect::<Vec<_>>(),
        })
    });
    json!({
        "version": 1,
        "image": image,
        "digest": text(&outcome.digest),
        "platforms": platforms.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        std::fs::create_dir(at("layout")).unwrap();
        std::fs::write(at("layout/index.json"), "{}").unwrap();
        std::fs::create_dir(at("plain")).unwrap();
        std::fs::write(at("a.tar"), "").unwrap();
        std::fs::write(at("odd:name"), "").unwrap();
        let layout = |path: &str, target: &str| ImageSource::Layout {
            path: path.into(),
            target: target.to_owned(),
        };
        let archive = |path: &str, target: &str| ImageSource::Archive {
            path: path.into(),
            target: target.to_owned(),
        };
        for (text, want) in [
            ("debian:12".to_owned(), ImageSource::Registry("debian:12".to_owned())),
            (
                "docker://a.example/b:1".to_owned(),
                ImageSource::Registry("a.example/b:1".to_owned()),
            ),
            (at("layout"), layout(&at("layout"), "")),
            (format!("oci:{}:v1", at("layout")), layout(&at("layout"), "v1")),
            (format!("oci:{}", at("layout")), layout(&at("layout"), "")),
            (at("a.tar"), archive(&at("a.tar"), "")),
            (format!("docker-archive:{}:app:1", at("a.tar")), archive(&at("a.tar"), "app:1")),
            (format!("oci-archive:{}", at("odd:name")), archive(&at("odd:name"), "")),
        ] {
            assert_eq!(source(&text), Ok(want), "{text}");
        }
        for wrong in [at("plain"), at("missing.tar"), "./none".to_owned()] {
            assert!(source(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn doubts_are_no_errors() {
        let file = |path: &str, reason: &str| VerifiedFile {
            path: path.to_owned(),
            reason: reason.to_owned(),
            machine: "x86-64".to_owned(),
            problem: format!("{path} is odd"),
            layer: 1,
            created_by: Some("COPY a b".to_owned()),
        };
        let platform = VerifiedPlatform {
            platform: "linux/arm64".to_owned(),
            digest: "sha256:1".to_owned(),
            elf_files: 9,
            doubtful: vec![file("/lib/b", "abi")],
            ..VerifiedPlatform::default()
        };
        assert_eq!(
            lines(&platform),
            [
                "linux/arm64: ok, 9 ELF files, 1 of them doubtful",
                "  warning: /lib/b is odd",
                "    brought by: COPY a b"
            ]
        );
        let wrong = VerifiedPlatform { wrong: vec![file("/a", "machine")], ..platform.clone() };
        assert_eq!(lines(&wrong)[0], "linux/arm64: 1 of 9 ELF files is wrong, 1 of them doubtful");
        let json =
            document("x:1", &VerifyOutcome { digest: String::new(), platforms: vec![wrong] });
        assert_eq!(json["digest"], Value::Null);
        assert_eq!(json["platforms"][0]["state"], "wrong");
        assert_eq!(json["platforms"][0]["files"][0]["severity"], "error");
        assert_eq!(json["platforms"][0]["files"][1]["reason"], "abi");
    }
}
