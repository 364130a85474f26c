//! Flags of `docker buildx build` that have no meaning here: what changes nothing is taken, and for
//! the rest there is a way out.

use clap::Args;

/// Flags that are not in the help.
#[derive(Args, Clone, Debug, Default)]
pub struct OtherArgs {
    #[arg(long, hide = true, value_name = "ENTITLEMENT")]
    allow: Vec<String>,
    #[arg(long, hide = true, value_name = "NAME")]
    builder: Option<String>,
    #[arg(long, hide = true, value_name = "METHOD")]
    call: Option<String>,
    #[arg(long, hide = true)]
    check: bool,
    #[arg(long, hide = true, value_name = "CGROUP")]
    cgroup_parent: Option<String>,
    #[arg(long, hide = true, value_name = "POLICY")]
    policy: Vec<String>,
    #[arg(long, hide = true, value_name = "SIZE")]
    memory: Option<String>,
    #[arg(long, hide = true, value_name = "SIZE")]
    memory_swap: Option<String>,
    #[arg(long, hide = true, value_name = "N")]
    cpu_shares: Option<String>,
    #[arg(long, hide = true, value_name = "N")]
    cpu_period: Option<String>,
    #[arg(long, hide = true, value_name = "N")]
    cpu_quota: Option<String>,
    #[arg(long, hide = true, value_name = "CPUS")]
    cpuset_cpus: Option<String>,
    #[arg(long, hide = true, value_name = "NODES")]
    cpuset_mems: Option<String>,
    #[arg(long, hide = true, value_name = "MODE")]
    isolation: Option<String>,
    #[arg(long, hide = true, value_name = "OPTION")]
    security_opt: Vec<String>,
    #[arg(long, hide = true)]
    squash: bool,
    #[arg(long, hide = true)]
    compress: bool,
    #[arg(long, hide = true)]
    force_rm: bool,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    rm: Option<bool>,
}

impl OtherArgs {
    /// Why the build can't be what was asked for. What has no meaning any more (`--rm`, `--compress`) is
    /// taken.
    pub fn refuse(&self) -> Result<(), String> {
        if let Some(asked) = self.allow.iter().find(|asked| *asked != "network.host") {
            return Err(format!(
                "--allow {asked}: commands run without privileges here; docker buildx build can grant \
                 that"
            ));
        }
        if let Some(name) = &self.builder {
            return Err(format!(
                "--builder {name}: mlint builds by itself, here; docker buildx build --builder {name} \
                 goes to that builder"
            ));
        }
        match self.call.as_deref() {
            None | Some("build") => {}
            Some("check") => return Err(CHECKS.to_owned()),
            Some(method) => {
                return Err(format!(
                    "--call {method}: mlint graph and mlint trace show what is in a Dockerfile; docker \
                     buildx build --call {method} asks BuildKit"
                ));
            }
        }
        if self.check {
            return Err(CHECKS.to_owned());
        }
        if let Some(parent) = &self.cgroup_parent {
            return Err(format!(
                "--cgroup-parent {parent}: mlint makes no cgroups; start it in the one that it is to be in"
            ));
        }
        if !self.policy.is_empty() {
            return Err("--policy: mlint knows no policies; docker buildx build does".to_owned());
        }
        if self.squash {
            return Err(
                "--squash: BuildKit, too, has no such thing; COPY what the image is to hold into \
                        a last stage"
                    .to_owned(),
            );
        }
        if let Some(option) = self.security_opt.first() {
            return Err(format!(
                "--security-opt {option}: commands always run with Docker's default profile here, and \
                 BuildKit, too, leaves this flag alone"
            ));
        }
        match self.unlimited() {
            Some(flag) => Err(format!(
                "{flag}: mlint makes no cgroups, and BuildKit, too, leaves this flag alone; start mlint in \
                 a cgroup with the limits that it is to have"
            )),
            None => Ok(()),
        }
    }

    /// The first flag that only Docker's old builder did anything about.
    fn unlimited(&self) -> Option<&'static str> {
        [
            ("--memory", self.memory.is_some()),
            ("--memory-swap", self.memory_swap.is_some()),
            ("--cpu-shares", self.cpu_shares.is_some()),
            ("--cpu-period", self.cpu_period.is_some()),
            ("--cpu-quota", self.cpu_quota.is_some()),
            ("--cpuset-cpus", self.cpuset_cpus.is_some()),
            ("--cpuset-mems", self.cpuset_mems.is_some()),
            ("--isolation", self.isolation.as_deref().is_some_and(|mode| mode != "default")),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }
}

const CHECKS: &str = "a build checks nothing of the Dockerfile itself: mlint check does, with rules of \
                      its own; for BuildKit's there is docker buildx build --check";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::OtherArgs;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        others: OtherArgs,
    }

    #[test]
    fn what_changes_nothing_is_taken_and_the_rest_has_a_way_out() {
        let refused = |args: &[&str]| {
            let words = std::iter::once("x").chain(args.iter().copied());
            Command::try_parse_from(words).unwrap().others.refuse().err()
        };
        for taken in [
            &["--rm"][..],
            &["--rm=false", "--compress"],
            &["--allow", "network.host"],
            &["--call=build"],
        ] {
            assert_eq!(refused(taken), None, "{taken:?}");
        }
        for (args, way) in [
            (&["--allow", "security.insecure"][..], "docker buildx"),
            (&["--builder", "b"], "docker buildx build --builder b"),
            (&["--check"], "mlint check"),
            (&["--call", "check"], "mlint check"),
            (&["--call", "outline"], "mlint graph"),
            (&["--cgroup-parent", "c"], "start it in"),
            (&["--memory", "1g"], "--memory: mlint makes no cgroups"),
            (&["--squash"], "COPY what the image is to hold"),
            (&["--security-opt", "seccomp=x"], "--security-opt seccomp=x: commands always run"),
        ] {
            let said = refused(args).unwrap_or_default();
            assert!(said.contains(way), "{args:?}: {said}");
        }
    }
}
