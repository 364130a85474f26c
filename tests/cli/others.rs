//! `rules`, `explain`, `completions`, `--help`, `--version`.

use crate::Place;

#[test]
fn every_rule_is_listed_and_explained() {
    let place = Place::new(&[]);
    let rules = place.run(&["rules", "--format", "json"]).json();
    let names: Vec<&str> = rules
        .as_array()
        .expect("a list")
        .iter()
        .map(|rule| rule["name"].as_str().expect("a name"))
        .collect();
    for known in ["hardcoded-arch-url", "platform-arg-default", "syntax-error"] {
        assert!(names.contains(&known), "{names:?}");
    }
    let list = place.run(&["rules"]).out;
    for name in names {
        assert!(list.contains(name), "{name}: {list}");
        let page = place.run(&["explain", name]);
        assert_eq!(page.code, Some(0), "{page:?}");
        assert!(page.out.starts_with(&format!("{name}\n")), "{}", page.out);
        assert!(page.out.lines().count() > 8, "{name} says little: {}", page.out);
    }
}

#[test]
fn completions_know_the_commands() {
    let place = Place::new(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = place.run(&["completions", shell]);
        assert_eq!(run.code, Some(0), "{run:?}");
        for command in ["check", "fix", "build", "verify", "explain", "trace", "graph"] {
            assert!(run.out.contains(command), "{shell}: {command}");
        }
        assert!(!run.out.contains("__session"), "internal commands are nobody's business");
    }
}

#[test]
fn help_has_examples_and_goes_to_standard_output() {
    let place = Place::new(&[]);
    assert!(place.run(&["--version"]).out.starts_with("mlint "));
    let help = place.run(&["--help"]);
    assert_eq!(help.code, Some(0), "{help:?}");
    assert!(help.out.contains("Examples:") && help.out.contains("Exit status:"), "{}", help.out);
    for command in [
        "check",
        "fix",
        "trace",
        "graph",
        "build",
        "verify",
        "rules",
        "explain",
        "completions",
        "lsp",
    ] {
        let help = place.run(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{help:?}");
        assert!(help.out.contains("Example"), "{command}: {}", help.out);
    }
    let nothing = place.run(&[]);
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
}
