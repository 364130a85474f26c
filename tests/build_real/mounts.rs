//! RUN --mount, sharing and seeds of caches, and owners that need no look-up.

use std::fs;

use crate::support::Project;

/// Builds for one platform into a directory.
fn built(project: &Project, args: &[&str]) {
    let output = format!("type=local,dest={}", project.beside("out").display());
    let _ = fs::remove_dir_all(project.beside("out"));
    let usual = ["--output", &output, "--platforms", "linux/amd64"];
    project.build(&[&usual, args].concat()).succeeds();
}

fn read(project: &Project, name: &str) -> String {
    fs::read_to_string(project.beside("out").join(name)).unwrap()
}

#[test]
fn a_source_is_a_directory_in_the_cache() {
    let project = Project::new(
        "FROM BASE AS s\nRUN mkdir /a && echo 1 > /a/f\n\
         FROM BASE\n\
         RUN --mount=type=cache,id=k,target=/cache mkdir -p /cache/sel && echo x > /cache/sel/b\n\
         RUN --mount=type=cache,id=k,source=sel,target=/v cp /v/b /b\n\
         RUN --mount=type=cache,id=k,from=s,source=/a,target=/v cp /v/f /f && echo 2 > /v/new\n\
         RUN --mount=type=cache,id=k,from=s,source=/,target=/v cp /v/a/new /new\n\
         RUN --mount=type=cache,id=k,from=s,mode=700,gid=6,target=/v stat -c '%a %g' /v > /own\n\
         RUN --mount=type=cache,id=t,target=/k touch /k/there\n\
         RUN --mount=type=cache,target=/k touch /k/there\n\
         RUN --mount=type=cache,target=/a/../k/ cp /k/there /there\n",
    );
    built(&project, &[]);
    let seen = ["b", "f", "new", "own", "there"].map(|name| read(&project, name));
    assert_eq!(seen, ["x\n", "1\n", "2\n", "700 6\n", ""]);
    for (text, said) in [
        (
            // As BuildKit's testCacheMountSourceEscape.
            "FROM BASE\nRUN --mount=type=cache,id=k,target=/c rm -rf /c/sel && ln -s /etc /c/sel\n\
             RUN --mount=type=cache,id=k,source=sel,target=/v cat /v/passwd\n",
            "source '/sel'",
        ),
        ("FROM BASE\nRUN --mount=type=cache,id=n,source=x,target=/v true\n", "source '/x'"),
        ("FROM BASE\nRUN --mount=type=cache,id=n,from=BASE,source=x,target=/v true\n", "'/x'"),
    ] {
        project.dockerfile(text);
        project.build(&["--platforms", "linux/amd64"]).fails_with(&[said]);
    }
}

#[test]
fn a_shared_cache_is_none_that_somebody_has_alone() {
    let project = Project::new(
        "FROM BASE AS alone\n\
         RUN --mount=type=cache,id=k,target=/c,sharing=locked touch /c/mine; sleep 4; ls /c > /alone\n\
         FROM BASE AS one\n\
         RUN sleep 1\n\
         RUN --mount=type=cache,id=k,target=/c ls /c > /one; touch /c/shared; sleep 1\n\
         FROM BASE\n\
         COPY --from=alone /alone /\nCOPY --from=one /one /\n\
         RUN --mount=type=cache,id=k,target=/c ls /c > /after\n",
    );
    built(&project, &["--jobs", "2"]);
    let seen = ["alone", "one", "after"].map(|name| read(&project, name));
    assert_eq!(seen, ["mine\n", "", "mine\n"]);
}

#[test]
fn a_stage_that_a_cache_begins_with_is_known_by_its_files() {
    let project = Project::new(
        "FROM BASE AS s\nARG N\nRUN echo $N > /n && mkdir /a && echo 1 > /a/f\n\
         FROM BASE\n\
         RUN --mount=type=cache,id=k,from=s,source=/a,target=/c head -c 9 /dev/urandom | od > /r\n",
    );
    built(&project, &["--build-arg", "N=1"]);
    let first = read(&project, "r");
    built(&project, &["--build-arg", "N=2"]);
    assert_eq!(read(&project, "r"), first);
}

#[test]
fn root_is_nobody_to_look_up() {
    let project = Project::new(
        "FROM BASE\nRUN echo 'root:x:7:8::/:/bin/sh' > /etc/passwd; echo 'root:x:8:' > /etc/group\n\
         COPY --chown=root --chmod=640 Dockerfile /a\n\
         COPY --link --chown=5:root Dockerfile /b\n\
         COPY --link --chown=root:root <<E /c\n1\nE\n\
         RUN stat -c %u:%g /a /b /c > /seen\n",
    );
    built(&project, &[]);
    assert_eq!(read(&project, "seen"), "0:0\n5:0\n0:0\n");
}
