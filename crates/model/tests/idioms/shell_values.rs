//! The shell: variables, operators, arrays, arithmetic, words.

use crate::shell::{fetches, same, word};

#[test]
fn operators() {
    for (text, amd64, arm64) in [
        ("A=$(uname -m); curl -O https://h/${A^^}", "X86_64", "AARCH64"),
        ("A=${TARGETARCH^}; curl -O https://h/${A,}-$A", "amd64-Amd64", "arm64-Arm64"),
        ("curl -O https://h/${TARGETPLATFORM##*/}", "amd64", "arm64"),
        ("curl -O https://h/${TARGETPLATFORM%%/*}", "linux", "linux"),
        ("curl -O https://h/${TARGETARCH:0:3}", "amd", "arm"),
        ("curl -O https://h/${TARGETARCH: -2}", "64", "64"),
        ("curl -O https://h/${TARGETARCH:3}", "64", "64"),
        ("curl -O https://h/${#TARGETARCH}", "5", "5"),
        ("curl -O https://h/${TARGETPLATFORM//\\//-}", "linux-amd64", "linux-arm64"),
        ("curl -O https://h/${TARGETARCH/#a/A}", "Amd64", "Arm64"),
        ("curl -O https://h/${TARGETARCH/%64/}", "amd", "arm"),
        ("amd64=x64 arm64=arm; curl -O https://h/${!TARGETARCH}", "x64", "arm"),
        ("unset NONE; curl -O https://h/${NONE:-$TARGETARCH}", "amd64", "arm64"),
        ("NONE=; curl -O https://h/${NONE-x}$TARGETARCH", "amd64", "arm64"),
        ("NONE=; : ${NONE:=$TARGETARCH}; curl -O https://h/$NONE", "amd64", "arm64"),
        ("curl -O https://h/x${TARGETARCH:+-$TARGETARCH}", "x-amd64", "x-arm64"),
        ("A=$TARGETARCH; eval B=${A@Q}; curl -O https://h/$B", "amd64", "arm64"),
        ("A=$TARGETARCH; curl -O https://h/${A@U}", "AMD64", "ARM64"),
        ("A=x; A+=-$TARGETARCH; curl -O https://h/$A", "x-amd64", "x-arm64"),
    ] {
        word(text, amd64, arm64);
    }
}

#[test]
fn arrays() {
    for (text, amd64, arm64) in [
        (
            "declare -A m; m[amd64]=x64; m[arm64]=a64; curl -O https://h/${m[$TARGETARCH]}",
            "x64",
            "a64",
        ),
        (
            "k=arm64; declare -A m=([amd64]=1); m[$k]=2; curl -O https://h/${m[$TARGETARCH]}",
            "1",
            "2",
        ),
        (
            "declare -A m=([\"amd64\"]=1 ['arm64']=2); curl -O https://h/${m[\"$TARGETARCH\"]}",
            "1",
            "2",
        ),
        ("a=(x $TARGETARCH z); curl -O https://h/${a[1]}", "amd64", "arm64"),
        ("a=(x y); a+=($TARGETARCH); curl -O https://h/${a[-1]}${#a[@]}", "amd643", "arm643"),
        ("a=(x y); i=1; a[i]=$TARGETARCH; curl -O https://h/${a[$i]}", "amd64", "arm64"),
        ("a=(x y z); IFS=-; curl -O \"https://h/${a[*]}\"", "x-y-z", "x-y-z"),
        ("a=(v1 v2); a=(\"${a[@]/v/w}\"); curl -O https://h/${a[1]}", "w2", "w2"),
        ("IFS=/ read -r -a p <<< \"$TARGETPLATFORM\"; curl -O https://h/${p[1]}", "amd64", "arm64"),
        (
            "IFS=/ read -r os a <<< \"$TARGETPLATFORM\"; curl -O https://h/$a-$os",
            "amd64-linux",
            "arm64-linux",
        ),
        (
            "mapfile -t l < <(printf 'a\\n%s\\n' $TARGETARCH); curl -O https://h/${l[1]}",
            "amd64",
            "arm64",
        ),
        (
            "[[ v1-$TARGETARCH =~ ^v([0-9]+)-(.*)$ ]]; curl -O https://h/${BASH_REMATCH[2]}",
            "amd64",
            "arm64",
        ),
    ] {
        word(text, amd64, arm64);
    }
    same("a=(x y); for i in \"${a[@]}\" z; do curl -O https://h/$i; done", &["x", "y", "z"]);
    same(
        "declare -A m=([p]=1 [q]=2); for k in \"${!m[@]}\"; do curl -O https://h/$k; done",
        &["p", "q"],
    );
    same("a=(x y z); for i in \"${a[@]:1}\"; do curl -O https://h/$i; done", &["y", "z"]);
    same("set -u; a=(); curl -O https://h/x \"${a[@]+\"${a[@]}\"}\"", &["x"]);
    same("a=(-L -O); curl \"${a[@]}\" https://h/x", &["x"]);
    same("declare -A m; m[$NOBODY]=x; curl -O https://h/${m[a]}", &["?"]);
}

#[test]
fn arithmetic() {
    for (text, want) in [
        ("i=1; ((i++)); curl -O https://h/$i", "2"),
        ("i=1; : $((i += 4)); curl -O https://h/$i", "5"),
        ("let i=2*3; curl -O https://h/$i", "6"),
        ("i=5; curl -O https://h/$(( i > 3 ? i % 3 : 0 ))", "2"),
        ("a=(x y); curl -O https://h/$(( ${#a[@]} + 1 ))", "3"),
        ("curl -O https://h/$((2**10))", "1024"),
        ("curl -O https://h/$(expr 4 + 5)", "9"),
        ("[ $(getconf LONG_BIT) = 64 ] && curl -O https://h/wide", "wide"),
        ("i=$NOBODY; ((i++)); curl -O https://h/$i", "?"),
        ("curl -O https://h/$((1/0))", "?"),
        ("curl -O https://h/$((9223372036854775807 + 1))", "?"),
        ("((i = NOBODY)); curl -O https://h/$i", "?"),
    ] {
        word(text, want, want);
    }
}

#[test]
fn printed_text() {
    for (text, want) in [
        ("printf -v a '%s-%02d' x 7; curl -O https://h/$a", "x-07"),
        ("curl -O https://h/$(printf '%5s' ab | tr ' ' _)", "___ab"),
        ("curl -O https://h/$(printf '%s.' a b c)", "a.b.c."),
        ("curl -O https://h/$(printf '%x' 255)", "ff"),
        ("curl -O https://h/$(echo -e 'a\\nb' | tail -1)", "b"),
        ("curl -O https://h/$(cat <<< x)", "x"),
        ("curl -O https://h/$'a'$\"b\"", "ab"),
    ] {
        word(text, want, want);
    }
}

#[test]
fn words_are_split_where_they_are_known() {
    same("L='a b'; for i in $L; do curl -O https://h/$i; done", &["a", "b"]);
    same("L=a,b; IFS=,; for i in $L; do curl -O https://h/$i; done", &["a", "b"]);
    same("O='-f -L'; curl $O -o /x https://h/a", &["a"]);
    same("O=\"-f -o /x$NOBODY\"; curl $O https://h/a", &["a"]);
    same(
        "set -- a 'b c' d; shift; for i in \"$@\"; do curl -O https://h/${i// /_}; done",
        &["b_c", "d"],
    );
    same("f() { curl -O https://h/$#-$2; }; f x y z", &["3-y"]);
}

#[test]
fn braces_in_the_shells_that_have_them() {
    same("curl https://h/{a,b} -O", &["a", "b"]);
    same("for i in {1..3}; do curl -O https://h/$i; done", &["1", "2", "3"]);
    same("for i in x{08..10..2}y; do curl -O https://h/$i; done", &["x08y", "x10y"]);
    // Of what the shell leaves, curl would make two addresses itself.
    same("wget https://h/{a}-'{b,c}'", &["{a}-{b,c}"]);
    same("x=1; curl -O https://h/{$x,{b,c}}z", &["1z", "bz", "cz"]);
    // Debian's sh has none.
    let url = ["https://h/{a,b}"];
    fetches("RUN wget https://h/{a,b}", &url, &url);
    for (image, want) in [("alpine", "{a,b}"), ("fedora", "a"), ("example.com/x/y", "?")] {
        crate::has(
            &format!(
                "FROM {image}\nRUN for i in {{a,b}}; do echo $i > /tmp/x; wget https://h/p-$i; done\n"
            ),
            "linux/arm64",
            &[&format!(
                "2: {}download https://h/p-{want}{}",
                if want == "?" { "maybe " } else { "" },
                match want {
                    "?" => " <Opaque> -> p-?".to_owned(),
                    want => format!(" -> /p-{want}"),
                }
            )],
        );
    }
}

#[test]
fn echo_is_that_of_the_shell() {
    // dash reads backslashes and prints `-e`.
    let url = ["https://h/b", "https://h/-e"];
    fetches(
        "RUN curl -O https://h/$(echo 'a\\nb' | tail -n1); curl -O https://h/$(echo -e x | cut -d' ' -f1)",
        &url,
        &url,
    );
    same("curl -O https://h/$(echo 'a\\nb' | wc -l)", &["1"]);
}

#[test]
fn one_branch_assigns() {
    same("unset A; [ -f /x ] && A=b; curl -O https://h/${A:-c}", &["{b|c}"]);
    same("A=a; if [ -f /x ]; then A=b; fi; curl -O https://h/$A", &["{b|a}"]);
    same("if [ -f /x ]; then A=b; else unset A; fi; curl -O https://h/x$A", &["x{b|}"]);
}

#[test]
fn patterns_in_double_quotes() {
    // Quotes around an expansion do not quote its pattern; those inside it do.
    for (word, text) in [
        ("${V%%+*}", "2.38.2"),
        ("${V##*.}", "2+22051"),
        ("${V#*.}", "38.2+22051"),
        ("${V%.*}", "2.38"),
        ("${V%?}", "2.38.2+2205"),
        ("${V%[0-9]}", "2.38.2+2205"),
        ("${V/.*/x}", "2x"),
        ("${V//[.+]/-}", "2-38-2-22051"),
        ("${V%\"*\"}", "2.38.2+22051"),
        ("${V%'*'}", "2.38.2+22051"),
        ("${V%\\*}", "2.38.2+22051"),
        ("${V%\"+\"*}", "2.38.2"),
    ] {
        same(&format!("V=2.38.2+22051; curl -O \"https://h/a{word}\""), &[&format!("a{text}")]);
        same(
            &format!("V=2.38.2+22051; A=\"{word}\"; curl -O https://h/a$A"),
            &[&format!("a{text}")],
        );
    }
    word(
        "case \"${TARGETPLATFORM##*/}\" in arm64) A=a64;; *) A=other;; esac; curl -O https://h/$A",
        "other",
        "a64",
    );
    same(
        "U=https://h/p/f.tgz; curl -o \"/d/${U##*/}\" https://h/a; test -f /d/f.tgz && curl -O https://h/b",
        &["a", "b"],
    );
}
