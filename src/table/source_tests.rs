use super::*;

fn said(sources: &Sources) -> String {
    sources.problems().render(false)
}

fn names(sources: &Sources) -> Vec<String> {
    let name = |file: &Arc<SourceFile>| Path::new(&**file.name()).file_name().unwrap().to_string_lossy().into_owned();
    sources.files().iter().map(name).collect()
}

#[test]
fn a_directory_gives_its_table_files_sorted_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b.yaml", "a.yml", "c_test.yaml", ".hidden.yaml", "notes.txt", "d.yaml~"] {
        fs::write(dir.path().join(name), "x\n").unwrap();
    }
    fs::create_dir(dir.path().join("deeper")).unwrap();
    fs::write(dir.path().join("deeper/e.yaml"), "x\n").unwrap();
    let sources = Sources::read(dir.path());
    assert_eq!(names(&sources), ["a.yml", "b.yaml"]);
    assert!(sources.problems().is_empty() && sources.is_directory());
}

#[cfg(unix)]
#[test]
fn a_mounted_config_map_is_read_once_through_its_links() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("..2026_11_21")).unwrap();
    fs::write(dir.path().join("..2026_11_21/trust.yaml"), "x\n").unwrap();
    std::os::unix::fs::symlink("..2026_11_21", dir.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/trust.yaml", dir.path().join("trust.yaml")).unwrap();
    let sources = Sources::read(dir.path());
    assert_eq!(names(&sources), ["trust.yaml"]);
    assert_eq!(sources.files()[0].text(), "x\n");
}

#[cfg(unix)]
#[test]
fn a_fifo_does_not_hang_the_reader() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(said(&Sources::read(&path)).contains("not a regular file"));
    assert!(said(&Sources::read(dir.path())).contains("not a regular file"));
}

#[test]
fn a_missing_path_and_an_empty_directory_are_problems() {
    let dir = tempfile::tempdir().unwrap();
    assert!(said(&Sources::read(&dir.path().join("none.yaml"))).contains("no such file or directory"));
    assert!(said(&Sources::read(dir.path())).contains("no *.yaml or *.yml file"));
}

#[test]
fn the_first_byte_that_is_not_utf8_is_named_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.yaml");
    fs::write(&path, b"a: b\n\xc3\xa4: \xff\xfe\n").unwrap();
    let said = said(&Sources::read(&path));
    assert!(said.contains("trust.yaml:2:4\n") && said.contains("^ byte 0xff"), "{said}");
    fs::write(&path, b"\xff\xfea\0").unwrap();
    assert!(Sources::read(&path).problems().render(false).contains("UTF-16"));
}

#[test]
fn a_file_above_sixteen_mebibytes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.yaml");
    File::create(&path).unwrap().set_len(MAX_FILE + 1).unwrap();
    let sources = Sources::read(&path);
    assert!(said(&sources).contains("larger than 16 MiB") && sources.files().is_empty());
}

#[test]
fn a_table_above_64_mebibytes_or_a_thousand_files_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..5 {
        File::create(dir.path().join(format!("{number}.yaml"))).unwrap().set_len(MAX_FILE).unwrap();
    }
    assert!(said(&Sources::read(dir.path())).contains("more than 64 MiB in all"));
    let dir = tempfile::tempdir().unwrap();
    for number in 0..=MAX_FILES {
        fs::write(dir.path().join(format!("{number}.yaml")), "").unwrap();
    }
    assert!(said(&Sources::read(dir.path())).contains("1001 files"));
}

#[test]
fn the_digest_tells_names_contents_and_problems_apart() {
    let of = |files: &[(&str, &str)]| {
        *Sources::from_files(files.iter().map(|(name, text)| SourceFile::new(*name, *text))).digest()
    };
    assert_eq!(of(&[("a", "b")]), of(&[("a", "b")]));
    assert_ne!(of(&[("a", "b")]), of(&[("ab", "")]));
    assert_ne!(of(&[("a", "b"), ("c", "")]), of(&[("a", "bc")]));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.yaml");
    let gone = Sources::read(&path);
    fs::create_dir(&path).unwrap();
    assert_ne!(gone.digest(), Sources::read(&path).digest());
}

#[test]
fn a_glance_sees_what_a_read_sees() {
    let dir = tempfile::tempdir().unwrap();
    let same = |path: &std::path::Path| assert_eq!(Sources::glance(path), *Sources::read(path).digest());
    same(dir.path());
    same(&dir.path().join("gone.yaml"));
    for (name, bytes) in
        [("a.yaml", &b"x: 1\n"[..]), ("b.yaml", b"\xff\xfe"), ("c.yml", b"\xff"), ("d_test.yaml", b"y")]
    {
        fs::write(dir.path().join(name), bytes).unwrap();
        same(&dir.path().join(name));
        same(dir.path());
    }
}

#[test]
fn a_stable_read_is_what_two_looks_agree_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.yaml");
    fs::write(&path, "x\n").unwrap();
    let sources = Sources::read_stable(&path, Duration::ZERO, 2).unwrap();
    assert_eq!(sources, Sources::read(&path));
}

#[test]
fn a_path_that_changes_with_each_look_is_never_taken() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.yaml");
    fs::write(&path, "whole\n").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A writer that never holds still: every version differs from the one before and is half of something.
        scope.spawn(|| {
            let mut number = 0_u64;
            while !done.load(Ordering::Relaxed) {
                number += 1;
                let new = dir.path().join(".new");
                fs::write(&new, format!("half {number}")).unwrap();
                fs::rename(&new, &path).unwrap();
            }
        });
        let taken = Sources::read_stable(&path, Duration::from_millis(20), 5);
        done.store(true, Ordering::Relaxed);
        assert_eq!(taken, Err(Unstable));
    });
    assert!(Sources::read_stable(&path, Duration::ZERO, 2).is_ok());
}
