//! The image's recipe: nothing runs as root, nothing is in it but the program, every base is named by the builder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::helm::brought;
use crate::support::issuer::Issuer;
use crate::support::{root, scratch};

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

#[test]
fn hadolint_has_nothing_against_the_recipe() {
    let lint = |file: &Path| {
        let output = Command::new(brought("hadolint/bin/hadolint")).arg("--no-color").arg(file).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (sound, said) = lint(&root().join("helm/Containerfile"));
    assert!(sound, "{said}");
    // It does look.
    let scratch = scratch();
    let slip = scratch.path().join("Containerfile");
    std::fs::write(&slip, "FROM debian:latest\nRUN cd /tmp && curl http://x.test | sh\n").unwrap();
    assert!(!lint(&slip).0);
}

/// Does what the first stage does, with what it copies and nothing else: to the program, built for speed of the build.
fn built_as_the_recipe_does() -> PathBuf {
    // Kept, so that only what has changed is built again.
    let target = root().join("target/image");
    let context = target.join("src");
    _ = std::fs::remove_dir_all(&context);
    std::fs::create_dir_all(&context).unwrap();
    for (_, rest) in instructions().iter().filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from=")) {
        let (sources, to) = rest.rsplit_once(' ').unwrap();
        for source in sources.split(' ') {
            let from = root().join(source);
            // A directory is copied with its name by `cp`, and without it by a recipe.
            let to = if from.is_dir() {
                context.join(to)
            } else {
                context.join(to).join(source.rsplit('/').next().unwrap())
            };
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            let copied = Command::new("cp").args(["-a", "-T"]).arg(&from).arg(&to).status().unwrap();
            assert!(copied.success(), "COPY {rest}");
        }
    }
    let program = target.join("credence");
    let run = instructions().iter().any(|(word, rest)| word == "RUN" && rest == "scripts/static.sh /credence");
    assert!(run, "another way to build it");
    let output = Command::new("scripts/static.sh")
        .arg(&program)
        .current_dir(&context)
        .env("PROFILE", "dev")
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

#[test]
fn what_is_copied_builds_a_program_that_runs_where_there_is_nothing_else() {
    let program = built_as_the_recipe_does();
    // A root as bare as the image's: no library, no interpreter, no shell, the files that a runtime writes into it.
    let bare = scratch();
    std::fs::copy(&program, bare.path().join("credence")).unwrap();
    std::fs::create_dir(bare.path().join("etc")).unwrap();
    std::fs::write(bare.path().join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    let within = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--root"]).arg(bare.path()).arg("/credence").args(args).env_clear();
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = within(&["version"]);
    assert_eq!(code, Some(0), "{said} (as somebody other than root this needs unprivileged user namespaces)");
    assert!(said.contains(env!("CARGO_PKG_VERSION")), "{said}");
    // Names are looked up without the libraries that a C library loads for that.
    let issuer = Issuer::start();
    let port = issuer.url().rsplit(':').next().unwrap().to_owned();
    let (_, said) = within(&["issuer", "probe", &format!("http://localhost:{port}")]);
    assert!(issuer.all_hits() > 0, "{said}");
}
