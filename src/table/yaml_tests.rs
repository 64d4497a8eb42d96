use proptest::prelude::*;

use super::*;

fn read(text: &str) -> (Option<Node>, String) {
    let (node, report) = parse(&Arc::new(SourceFile::new("t.yaml", text)));
    (node, report.render(false))
}

fn text_of(node: &Node, file: &str) -> String {
    file.get(node.span.start as usize..node.span.end as usize).unwrap().to_owned()
}

#[test]
fn every_value_knows_where_it_was_written() {
    let file = "ä: [\"b c\", 'd']\nlonger:\n  - é\n  - {x: 1.10, y: }\n";
    let (root, said) = read(file);
    assert_eq!(said, "");
    let root = root.unwrap();
    let Kind::List(items) = &root.member("longer").unwrap().kind else { panic!() };
    assert_eq!(text_of(&items[0], file), "é");
    assert_eq!(text_of(&items[1], file), "{x: 1.10, y: }");
    assert_eq!((items[1].span.line, items[1].span.column), (4, 5));
    assert_eq!(text_of(root.member("longer").unwrap(), file), "- é");
    assert_eq!(text_of(root.member("ä").unwrap(), file), "[\"b c\", 'd']");
    let Kind::Scalar { text, of } = &items[1].member("x").unwrap().kind else { panic!() };
    assert_eq!((&**text, *of), ("1.10", Type::Float));
}

#[test]
fn a_place_after_thousands_of_wide_characters_is_still_exact() {
    let file = format!("a: {}\nb: [x, ü, here]\n", "é".repeat(5000));
    let (root, _) = read(&file);
    let root = root.unwrap();
    let Kind::List(items) = &root.member("b").unwrap().kind else { panic!() };
    assert_eq!(text_of(&items[2], &file), "here");
}

#[test]
fn anchors_aliases_merge_keys_and_tags_are_each_refused_at_their_place() {
    let (_, said) = read("a: &x {b: c}\nd: *x\ne:\n  <<: *x\nf: !!str 1\n? [g]\n: h\n? {i: j}\n: k\n");
    for part in [
        "anchors are not allowed\n --> t.yaml:1:4\n",
        "aliases are not allowed\n --> t.yaml:2:4\n",
        "merge keys are not allowed\n --> t.yaml:4:3\n",
        "tags are not allowed\n --> t.yaml:5:4\n",
        "cannot be a key\n --> t.yaml:6:3\n",
        "cannot be a key\n --> t.yaml:8:3\n",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn a_directive_is_refused_where_it_stands() {
    for (text, place) in
        [("%YAML 1.1\n---\na: b\n", "1:1"), ("# a remark\n\n%TAG ! tag:acme.test,2026:\n---\na: b\n", "3:1")]
    {
        let (_, said) = read(text);
        assert!(said.contains("error[CR005]: YAML directives are not allowed"), "{said}");
        assert!(said.contains(&format!(" --> t.yaml:{place}\n")), "{said}");
    }
    assert_eq!(read("---\na: \"%YAML 1.1\"\n").1, "");
}

#[test]
fn a_tab_is_told_where_it_stands() {
    for (text, place) in [("a:\n\tb: c\n", "2:1"), ("a:\n\t  b: c\n", "2:1"), ("a:\n  b:\n  \tc: d\n", "3:3")] {
        let (_, said) = read(text);
        assert!(
            said.contains("a tab where YAML wants spaces") && said.contains(&format!("t.yaml:{place}\n")),
            "{said}"
        );
    }
}

#[test]
fn a_quoted_double_less_than_is_only_a_strange_name() {
    assert_eq!(read("\"<<\": a\n").1, "");
}

#[test]
fn a_doubled_key_is_named_with_the_place_of_the_first_and_the_first_stays() {
    let (root, said) = read("a: 1\nb: 2\n\"a\": 3\n");
    assert!(said.contains("error[CR004]: \"a\" is defined twice\n --> t.yaml:3:1\n"), "{said}");
    assert!(said.contains("first at t.yaml:1:1"), "{said}");
    assert_eq!(root.unwrap().member("a").unwrap().span.line, 1);
}

#[test]
fn a_doubled_key_is_found_among_few_and_among_many() {
    for count in [2, 16, 17, 1000] {
        let mut text: String = (0..count).map(|number| format!("k{number}: {number}\n")).collect();
        assert_eq!(read(&text).1, "");
        text.push_str("k1: later\nk0: later\n");
        let (root, said) = read(&text);
        assert_eq!(said.matches("is defined twice").count(), 2, "{said}");
        assert!(said.contains("first at t.yaml:2:1") && said.contains("first at t.yaml:1:1"), "{said}");
        assert_eq!(root.unwrap().members().unwrap().len(), count);
    }
}

#[test]
fn a_key_that_is_no_string_asks_for_quotes() {
    let (_, said) = read("1: a\ntrue: b\n~: c\nno: fine\n");
    assert!(said.contains("this is a number") && said.contains("quote it: `\"1\"`"), "{said}");
    assert!(said.contains("this is a boolean") && said.contains("a key is missing"), "{said}");
    assert_eq!(said.matches("error").count(), 3);
}

#[test]
fn a_second_document_is_refused() {
    assert!(read("a: 1\n---\nb: 2\n").1.contains("more than one YAML document in one file\n --> t.yaml:2:1\n"));
    assert_eq!(read("---\na: 1\n...\n").1, "");
}

#[test]
fn a_file_cut_off_before_its_newline_is_refused_though_it_parses() {
    let (root, said) = read("a: 1\nb: 2");
    assert!(said.contains("was it cut off?\n --> t.yaml:2:5\n"), "{said}");
    assert!(root.is_some());
}

#[test]
fn empty_files_comments_marks_and_hidden_characters_are_refused() {
    for (text, part) in [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("# only\n", "nothing but comments"),
        ("\u{feff}a: 1\n", "byte order mark"),
        ("a: \0\n", "U+0000"),
        ("a: 1 # \u{202e}b\n", "U+202E"),
        ("a: 1\rb: 2\n", "U+000D"),
        ("<!DOCTYPE html>\n<html>\n<body>a: b</body>\n", "t.yaml:3:"),
        ("a:\n\t- b\n", "indent with spaces"),
        ("hosts: [*.example.com]\n", "quote it"),
        ("a: [b\n", "is not closed"),
        ("a: \"b\n", "close the quote"),
    ] {
        let (_, said) = read(text);
        assert!(said.contains(part), "{text:?}: {said}");
    }
    assert_eq!(read("a: 1\r\nb: 2\r\n").1, "");
}

#[test]
fn a_bomb_of_depth_ends_at_once() {
    for text in [
        format!("a: {}\n", "[".repeat(100_000)),
        format!("a: {}\n", "{a: ".repeat(100_000)),
        format!("{}a\n", "- ".repeat(100_000)),
        format!("{}a\n", "? ".repeat(100_000)),
        (0..3000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
    ] {
        let (_, said) = read(&text);
        assert!(said.contains("nested more than 32 deep"), "{said}");
    }
}

#[test]
fn a_bomb_of_aliases_or_width_is_bounded() {
    let mut text = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for step in 0..8 {
        text.push_str(&format!("b{step}: &b{step} [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"));
    }
    assert!(read(&text).1.contains("anchors are not allowed"));
    let wide = Arc::new(SourceFile::new("t.yaml", format!("a: [{}]\n", "x,".repeat(1000))));
    assert!(!parse_within(&wide, 1010).1.refuses());
    let said = parse_within(&wide, 1000).1.render(false);
    assert!(said.contains("more than 1000 values"), "{said}");
    let (_, said) = read(&format!("a: [{}]\n", "*a,".repeat(100_000)));
    assert!(said.contains("quote it"), "{said}");
    let (_, said) = read(&format!("a: &a 1\nb: [{}]\n", "*a,".repeat(100_000)));
    assert!(said.contains("… and 99901 more") && said.len() < 100_000, "{}", said.len());
}

proptest! {
    #[test]
    fn any_text_gives_a_tree_or_a_report(text in "\\PC*\n") {
        let (root, said) = read(&text);
        prop_assert!(root.is_some() || !said.is_empty());
    }

    #[test]
    fn any_heap_of_yaml_signs_gives_a_tree_or_a_report(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \t\r\nabé0<]{0,60}\n") {
        let (root, said) = read(&text);
        prop_assert!(root.is_some() || !said.is_empty());
    }
}
