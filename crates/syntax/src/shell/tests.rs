use super::{dump, parse_shell};
use crate::text::LogicalText;

fn shell(text: &str) -> String {
    dump(&parse_shell(&LogicalText::contiguous(text, 7)))
}

/// Checks rows of script and tree.
fn check(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(shell(text), *expected, "for {text}");
    }
}

#[test]
fn simple_commands() {
    check(&[
        ("", ""),
        ("ls -l", "(cmd ls -l)"),
        ("A=1 B= make x=y", "(cmd A=1 B= make x=y)"),
        ("A=1", "(cmd A=1)"),
        ("a; b & c\nd", "(cmd a) (cmd b) & (cmd c) (cmd d)"),
        ("a # b; c\nd#e", "(cmd a) (cmd d#e)"),
        ("a \\\n  b c\\\nd", "(cmd a b cd)"),
        ("[ \"$a\" = b ] && c", "(list (cmd [ $a = b ]) && (cmd c))"),
        ("a=(1 '2 3' $x)", "(cmd a=(array 1 '2 3' $x))"),
        ("a[1]+=x b", "(cmd a[1]+=x b)"),
        ("m[\"a b\"]=x m[$k]=y 'm[1]=z'", "(cmd m[\"a b\"]=x m[$k]=y 'm[1]=z')"),
        ("ls a[0-9] b[x", "(cmd ls a[0-9] b[x)"),
        ("a[0-9] b", "(cmd a[0-9] b)"),
        ("export A=b C -n D=(1)", "(export A=b C -n D=(array 1))"),
        ("then", "(opaque)"),
        ("a=b=c 1=2", "(cmd a=b=c 1=2)"),
    ]);
}

#[test]
fn words_and_quotes() {
    check(&[
        ("echo 'a b'\"c $d\"e\\ f", "(cmd echo 'a b'\"c \"$de\\ f)"),
        ("echo \"\" '' \"a\\\"b\\n\"", "(cmd echo \"\" '' \"a\"b\\n\")"),
        ("echo $'a\\tb\\x41\\q\\'' $\"x\"", "(cmd echo 'a\tbA\\q'' \"x\")"),
        ("echo $ $x $1x $@ a$", "(cmd echo $ $x $1x $@ a$)"),
        ("echo {a,b} *.c [x] ~", "(cmd echo {a,b} *.c [x] ~)"),
        ("ls !(*.c|*.h)", "(cmd ls !(*.c|*.h))"),
        ("echo \"unclosed", "(opaque)"),
        ("echo é'ü'", "(cmd echo é'ü')"),
    ]);
}

#[test]
fn parameters() {
    check(&[
        ("echo ${a} ${a:-b c} ${a-$b}", "(cmd echo $a ${a:-b c} ${a-$b})"),
        ("echo ${a##*/} ${a%.*} ${a%%\"}\"}", "(cmd echo ${a##*/} ${a%.*} ${a%%\"}\"})"),
        (
            "echo ${a/x/y} ${a//\\//-} ${a/#x} ${a/%y/z}",
            "(cmd echo ${a/x/y} ${a//\\//-} ${a/#x/} ${a/%y/z})",
        ),
        (
            "echo ${a:1:2} ${a: -1} ${#a} ${!a} ${!a*}",
            "(cmd echo ${a:1:2} ${a: -1} ${a length} ${a indirect} ${a names})",
        ),
        ("echo ${a^^} ${a,} ${a@Q} ${#} ${#@}", "(cmd echo ${a^^} ${a,} ${a@Q} $# ${@ length})"),
        (
            "echo ${a[0]} ${a[@]} ${#a[@]} ${a[$i]:-x}",
            "(cmd echo $a[0] $a[@] ${a[@] length} ${a[$i]:-x})",
        ),
        ("echo \"${a:-\"b\" 'c'}\"", "(cmd echo ${a:-\"b\"\" 'c'\"})"),
        ("echo ${a:?no $(b)} ${a:=x}", "(cmd echo ${a:?no $[(cmd b)]} ${a:=x})"),
        ("echo ${} ${a b} x; c", "(cmd echo (opaque) (opaque) x) (cmd c)"),
        ("echo ${'} x", "(opaque)"),
    ]);
}

#[test]
fn substitutions() {
    check(&[
        ("a=$(uname -m)", "(cmd a=$[(cmd uname -m)])"),
        ("a=\"x$(b \"c\")\"", "(cmd a=\"x\"\"$[(cmd b \"c\")])"),
        (
            "echo `a \\`b\\`` \"`c \\\"d\\\"`\"",
            "(cmd echo $[(cmd a $[(cmd b)])] \"$[(cmd c \"d\")])",
        ),
        (
            "echo $((1 + (2))) $( (a) ) $((a); b)",
            "(cmd echo $((\"1 + (2)\")) $[(subshell (cmd a))] $[(subshell (cmd a)) (cmd b)])",
        ),
        ("diff <(a) >(b)", "(cmd diff <[(cmd a)] >[(cmd b)])"),
        ("echo $(case x in a) b;; esac)", "(cmd echo $[(case x [a] (do (cmd b)))])"),
        ("echo $(if) y; z", "(cmd echo (opaque) y) (cmd z)"),
        ("echo $()", "(cmd echo $[])"),
        ("echo $(($x + $(b))) $[1]", "(cmd echo $(($x\" + \"\"$[(cmd b)])) $((\"1\")))"),
    ]);
}

#[test]
fn lists_and_pipelines() {
    check(&[
        ("a && b || c", "(list (cmd a) && (cmd b) || (cmd c))"),
        ("a |\n b |& c", "(pipe (cmd a) (cmd b) (cmd c))"),
        ("! a | b && c", "(list (not (pipe (cmd a) (cmd b))) && (cmd c))"),
        ("a && b > f", "(list (cmd a) && (cmd b) >f)"),
        (
            "time -p { a; } | b; time (c); time",
            "(pipe (group (cmd a)) (cmd b)) (subshell (cmd c)) (cmd)",
        ),
        ("time a -p b", "(cmd time a -p b)"),
        ("coproc X { a; }; coproc b c", "(subshell (group (cmd a))) (subshell (cmd b c))"),
        ("a ; ; b", "(cmd a) (opaque)"),
        ("a &&", "(opaque)"),
        ("a | done", "(opaque)"),
        ("(a; b) && { c; }", "(list (subshell (cmd a) (cmd b)) && (group (cmd c)))"),
    ]);
}

#[test]
fn compound_commands() {
    check(&[
        (
            "if a; then b; elif c; then d; else e; fi",
            "(if (when (cmd a)) (then (cmd b)) (when (cmd c)) (then (cmd d)) (else (cmd e)))",
        ),
        (
            "case \"$x\" in a|b) c;; (d*) ;; *) e; esac",
            "(case $x [a|b] (do (cmd c)) [d*] (do) [*] (do (cmd e)))",
        ),
        ("case $x in a) b;& c) d;;& esac", "(case $x [a];& (do (cmd b)) [c];;& (do (cmd d)))"),
        ("for i in a $b; do c; done", "(for i in a $b (do (cmd c)))"),
        ("for i do c; done", "(for i (do (cmd c)))"),
        ("select i in a b; do c; done", "(select i in a b (do (cmd c)))"),
        ("for i\nin a\ndo c\ndone", "(for i in a (do (cmd c)))"),
        ("for ((i=0; i<3; i++)); do c; done", "(for \"i=0; i<3; i++\" (do (cmd c)))"),
        ("while a; do b; done < f", "(while (when (cmd a)) (do (cmd b))) <f"),
        ("until a; do b; done", "(until (when (cmd a)) (do (cmd b)))"),
        (
            "f() { a; }; function g { b; }",
            "(function f (group (cmd a))) (function g (group (cmd b)))",
        ),
        ("(( a > 1 )) && b", "(list (arith \" a > 1 \") && (cmd b))"),
        ("a; if b; then c", "(cmd a) (opaque)"),
        ("if a; then fi", "(opaque)"),
    ]);
}

#[test]
fn conditions() {
    check(&[
        ("[[ -f $a && ! $b == x* || c ]]", "(test (|| (&& (-f $a) (! (== $b x*))) c))"),
        ("[[ $a =~ ^(x|y z)+$ ]]", "(test (=~ $a ^(x|y z)+$))"),
        ("[[ ( $a < b ) ]] || c", "(list (test (< $a b)) || (cmd c))"),
        ("[[ -n ]]", "(test -n)"),
        ("[[ a ", "(opaque)"),
    ]);
}

#[test]
fn redirections() {
    check(&[
        ("a > f b 2>&1 < g >> h", "(cmd a b) >f 2>&1 <g >>h"),
        ("a &> f; b &>> g; c >| h; d <> i", "(cmd a) &>f (cmd b) &>>g (cmd c) >h (cmd d) <>i"),
        ("> f", "(cmd) >f"),
        ("a <<< \"$b\"", "(cmd a) <<<$b"),
        ("echo 2 > f", "(cmd echo 2) >f"),
        ("echo a2>f", "(cmd echo a2) >f"),
        ("a >", "(opaque)"),
    ]);
}

#[test]
fn here_documents() {
    check(&[
        ("cat <<EOF > f\na $b\n\\$c\nEOF\nd", "(cmd cat) <<\"a \"$b\"\\n$c\\n\" >f (cmd d)"),
        ("cat <<'E' | b\n$x\nE\n", "(pipe (cmd cat) <<'$x\\n' (cmd b))"),
        ("cat <<-E\n\ta\n\t\tb\n\tE\nc", "(cmd cat) <<-\"a\\nb\\n\" (cmd c)"),
        ("a <<X; b <<Y\n1\nX\n2\nY\nc", "(cmd a) <<\"1\\n\" (cmd b) <<\"2\\n\" (cmd c)"),
        ("<<EOF sh\na\nEOF", "(cmd sh) <<\"a\\n\""),
        ("x=$(cat <<E\na\nE\n); b", "(cmd x=$[(cmd cat) <<\"a\\n\"]) (cmd b)"),
        ("if a <<E; then\n1\nE\nb; fi", "(if (when (cmd a) <<\"1\\n\") (then (cmd b)))"),
        ("cat <<E\nno end", "(cmd cat) <<\"no end\""),
    ]);
}

#[test]
fn spans_are_those_of_the_file() {
    let text = "FROM a\nRUN wget ht\\\n  # why\ntp://x/$(uname \\\n -m)/y\n";
    let file = crate::parse(text);
    let run = file.instructions[1].shell_script().expect("a shell form");
    let script = parse_shell(&run.text);
    let super::CommandKind::Simple(simple) = &script.commands[0].kind else { panic!("{script:?}") };
    let at = |span: crate::Span| &text[span.range()];
    assert_eq!(at(simple.words[0].span), "wget");
    assert_eq!(at(simple.words[1].span), "ht\\\n  # why\ntp://x/$(uname \\\n -m)/y");
    let super::WordPart::CommandSub { script, span, .. } = &simple.words[1].parts[1] else {
        panic!("{script:?}")
    };
    assert_eq!(at(*span), "$(uname \\\n -m)");
    let super::CommandKind::Simple(inner) = &script.commands[0].kind else { panic!("{script:?}") };
    assert_eq!(at(inner.words[1].span), "-m");
}

#[test]
fn hostile_scripts_end_soon() {
    let deep = 50_000;
    let open =
        ["$(", "(", "{ ", "if a; then ", "${a:-", "\"$(", "((", "! ", "[[ ! ", "case x in a) "];
    for token in open {
        let text = token.repeat(deep);
        let script = parse_shell(&LogicalText::contiguous(text, 0));
        assert!(!script.errors.is_empty(), "{token}");
    }
    for token in
        ["a && ", "a | ", "a; ", "x=1 ", "<<E ", "<<E\n", "$((a\n", "a <(b) ", "\\", "'", "$'"]
    {
        parse_shell(&LogicalText::contiguous(token.repeat(deep), 0));
    }
}
