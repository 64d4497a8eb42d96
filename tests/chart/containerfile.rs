//! The image's recipe: nothing runs as root, nothing is in it but the program, every base is named by the builder.

use crate::support::root;

/// The instructions, continued lines joined, comments gone.
fn instructions() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("helm/Containerfile")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = |line: &str| line.trim().split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()));
    joined.lines().filter_map(split).collect()
}

/// The instructions of the last stage, which is the image.
fn image() -> Vec<(String, String)> {
    let all = instructions();
    let start = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    all[start..].to_vec()
}

#[test]
fn every_base_is_chosen_by_an_argument() {
    let all = instructions();
    let args: Vec<_> =
        all.iter().filter(|(word, _)| word == "ARG").map(|(_, rest)| rest.split('=').next().unwrap()).collect();
    for (_, base) in all.iter().filter(|(word, _)| word == "FROM") {
        let name = base.strip_prefix("${").and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
        let stages = all.iter().filter(|(word, _)| word == "FROM").map(|(_, rest)| rest.rsplit(" AS ").next().unwrap());
        let mut stages = stages;
        let stage = stages.any(|stage| base.split(' ').next().unwrap() == stage);
        assert!(stage || name.is_some_and(|name| args.contains(&name)), "FROM {base}");
    }
}

#[test]
fn the_image_holds_the_program_and_runs_it_as_nobody() {
    let image = image();
    let of = |word: &str| image.iter().filter(|(w, _)| w == word).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>();
    assert_eq!(of("USER"), ["65532:65532"]);
    assert_eq!(of("ENTRYPOINT"), ["[\"/credence\"]"]);
    assert!(of("RUN").is_empty(), "there is no shell in it");
    assert!(of("ADD").is_empty(), "COPY says where from");
    for copy in of("COPY") {
        assert!(copy.starts_with("--from="), "COPY {copy}: only what was built goes in");
    }
    assert!(of("ENV").is_empty() && of("HEALTHCHECK").is_empty());
    assert!(of("LABEL").iter().any(|label| label.contains("org.opencontainers.image.licenses=\"Apache-2.0\"")));
    assert!(of("COPY").iter().any(|copy| copy.contains("sbom")), "its bill of materials goes with it");
}

#[test]
fn the_build_is_static_and_locked() {
    let of_image: String = instructions().into_iter().map(|(word, rest)| format!("{word} {rest}\n")).collect();
    assert!(of_image.contains("RUN scripts/static.sh /credence\n"), "{of_image}");
    assert!(of_image.contains("RUN cargo cyclonedx"), "the bill of materials");
    let script = std::fs::read_to_string(root().join("scripts/static.sh")).unwrap();
    assert!(script.contains("target-feature=+crt-static") && script.contains("ldd \"$program\""), "{script}");
    let commands = of_image.lines().chain(script.lines());
    for command in commands.filter(|line| line.contains("cargo build") || line.contains("cargo install")) {
        assert!(command.contains("--locked"), "{command}");
    }
}
