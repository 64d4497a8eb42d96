use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A watched path whose poll never comes, so that only events (or a poke) can be what was noticed.
struct World {
    dir: TempDir,
    path: PathBuf,
    told: Receiver<String>,
    watcher: Watcher,
}

fn watch(prepare: impl FnOnce(&Path) -> PathBuf) -> World {
    watch_at(Pace { poll: Duration::from_secs(3600), ..Pace::default() }, prepare)
}

fn watch_at(pace: Pace, prepare: impl FnOnce(&Path) -> PathBuf) -> World {
    let dir = tempfile::tempdir().unwrap();
    let path = prepare(dir.path());
    // What the caller has "seen" is nothing at all, so the first look always tells: then the watches stand.
    let (tell, told) = mpsc::channel();
    let changed = move |sources: Sources| {
        let texts: Vec<_> = sources.files().iter().map(|file| file.text().trim_end().to_owned()).collect();
        let problem = if sources.problems().is_empty() { "" } else { "problem" };
        tell.send(format!("{}{problem}", texts.join(","))).unwrap();
    };
    let nothing = Sources::from_files([]);
    let watcher = Watcher::spawn(path.clone(), pace, &nothing, changed).unwrap();
    World { dir, path, told, watcher }
}

impl World {
    /// The next thing told.
    fn next(&self) -> String {
        self.told.recv_timeout(Duration::from_secs(30)).expect("the watcher tells")
    }

    /// Waits until `text` is told; states in between may be seen too.
    fn until(&self, text: &str) {
        while self.next() != text {}
    }
}

fn file(dir: &Path) -> PathBuf {
    let path = dir.join("trust.yaml");
    fs::write(&path, "one\n").unwrap();
    path
}

#[test]
fn an_edit_in_place_is_noticed() {
    let world = watch(file);
    assert_eq!(world.next(), "one");
    fs::write(&world.path, "two\n").unwrap();
    world.until("two");
}

#[test]
fn a_file_renamed_over_the_old_one_is_noticed_again_and_again() {
    let world = watch(file);
    assert_eq!(world.next(), "one");
    for text in ["two", "three", "four"] {
        let new = world.dir.path().join(".new");
        fs::write(&new, format!("{text}\n")).unwrap();
        fs::rename(&new, &world.path).unwrap();
        world.until(text);
    }
}

/// What the kubelet does: a new dated directory, a new link renamed over `..data`, the old directory removed.
fn swap(dir: &Path, version: &str) {
    let dated = format!("..{version}");
    fs::create_dir(dir.join(&dated)).unwrap();
    fs::write(dir.join(&dated).join("trust.yaml"), format!("{version}\n")).unwrap();
    let old = fs::read_link(dir.join("..data")).ok();
    symlink(&dated, dir.join("..data_tmp")).unwrap();
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(dir.join(old)).unwrap();
    }
}

fn config_map(dir: &Path) {
    swap(dir, "one");
    symlink("..data/trust.yaml", dir.join("trust.yaml")).unwrap();
}

#[test]
fn a_config_map_swap_is_noticed_twice_with_the_old_directory_gone() {
    for as_directory in [false, true] {
        let world = watch(|dir| {
            config_map(dir);
            if as_directory { dir.to_owned() } else { dir.join("trust.yaml") }
        });
        assert_eq!(world.next(), "one");
        for version in ["two", "three"] {
            swap(world.dir.path(), version);
            world.until(version);
        }
    }
}

#[test]
fn a_file_that_goes_is_told_once_and_its_return_too() {
    let world = watch(file);
    assert_eq!(world.next(), "one");
    fs::remove_file(&world.path).unwrap();
    assert_eq!(world.next(), "problem");
    fs::write(world.dir.path().join("unrelated"), "x").unwrap();
    fs::write(&world.path, "one\n").unwrap();
    assert_eq!(world.next(), "one");
}

#[test]
fn a_directory_that_goes_and_comes_back_is_still_watched() {
    let world = watch(|dir| {
        let tables = dir.join("tables");
        fs::create_dir(&tables).unwrap();
        file(&tables);
        tables
    });
    assert_eq!(world.next(), "one");
    for text in ["two", "three"] {
        fs::remove_dir_all(&world.path).unwrap();
        world.until("problem");
        fs::create_dir(&world.path).unwrap();
        fs::write(world.path.join("trust.yaml"), format!("{text}\n")).unwrap();
        world.until(text);
    }
    fs::write(world.path.join("more.yaml"), "four\n").unwrap();
    world.until("four,three");
}

#[test]
fn a_directory_reached_through_a_link_is_followed_when_the_link_moves() {
    let world = watch(|dir| {
        for version in ["one", "two"] {
            fs::create_dir(dir.join(version)).unwrap();
            fs::write(dir.join(version).join("trust.yaml"), format!("{version}\n")).unwrap();
        }
        symlink("one", dir.join("current")).unwrap();
        dir.join("current")
    });
    assert_eq!(world.next(), "one");
    symlink("two", world.dir.path().join("next")).unwrap();
    fs::rename(world.dir.path().join("next"), &world.path).unwrap();
    world.until("two");
    fs::write(world.dir.path().join("two/trust.yaml"), "three\n").unwrap();
    world.until("three");
}

#[test]
fn a_poke_tells_even_when_nothing_changed() {
    let world = watch(file);
    assert_eq!(world.next(), "one");
    world.watcher.poke();
    assert_eq!(world.next(), "one");
}

#[test]
fn without_any_event_the_poll_sees_the_change() {
    let pace = Pace { poll: Duration::from_millis(5), ..Pace::default() };
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path());
    let (tell, told) = mpsc::channel();
    let (signals, inbox) = mpsc::channel();
    let blind = Eyes { watcher: None, on: BTreeMap::new() };
    let changed = move |sources: Sources| tell.send(sources.files()[0].text().to_owned()).unwrap();
    let watch = Watch { path: path.clone(), pace, seen: [0; 32], inbox, eyes: blind, changed };
    let thread = thread::spawn(move || watch.run());
    assert_eq!(told.recv_timeout(Duration::from_secs(30)).unwrap(), "one\n");
    let new = dir.path().join("new");
    fs::write(&new, "two\n").unwrap();
    fs::rename(new, path).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(30)).unwrap(), "two\n");
    signals.send(Signal::Stop).unwrap();
    thread.join().unwrap();
}

#[test]
fn what_the_caller_has_taken_already_is_not_told_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path());
    let seen = Sources::read(&path);
    let (tell, told) = mpsc::channel();
    let changed = move |sources: Sources| tell.send(sources.files().len()).unwrap();
    let watcher = Watcher::spawn(path, Pace::default(), &seen, changed).unwrap();
    watcher.poke();
    told.recv_timeout(Duration::from_secs(30)).unwrap();
    drop(watcher);
    assert_eq!(told.iter().count(), 0);
}

/// The whole way of a reload: what cannot be compiled never takes the place of what can.
#[test]
fn a_half_written_table_keeps_the_last_good_one_and_is_told_once() {
    use std::sync::Arc;

    use super::super::{Compiled, Live, compile};
    use crate::clock::Time;
    use crate::keys::LiveKeys;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.yaml");
    let table = |host: &str| {
        format!(
            "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nresources:\n  r: {{audience: r, hosts: [{host}]}}\n"
        )
    };
    fs::write(&path, table("one.test")).unwrap();
    let live = Arc::new(Live::empty());
    let published = Arc::clone(&live);
    let (tell, told) = mpsc::channel();
    let reload = move |sources: Sources| {
        let Compiled { snapshot, report } =
            compile(&sources, &crate::table::Permissions::default(), Time::from_seconds(0.0), |need| {
                Arc::new(LiveKeys::unfetched(need.rules))
            });
        let said = match snapshot {
            Some(snapshot) => published.publish(|_| snapshot).to_string(),
            None => report.sorted()[0].code().to_string(),
        };
        tell.send(said).unwrap();
    };
    let pace = Pace { poll: Duration::from_secs(3600), ..Pace::default() };
    let _watcher = Watcher::spawn(path.clone(), pace, &Sources::from_files([]), reload).unwrap();
    let next = || told.recv_timeout(Duration::from_secs(30)).unwrap();
    let host = || live.load().unwrap().resources.iter().next().unwrap().1.hosts[0].host.clone();
    assert_eq!((next().as_str(), host().as_str()), ("1", "one.test"));
    let put = |text: &str| {
        fs::write(dir.path().join(".new"), text).unwrap();
        fs::rename(dir.path().join(".new"), &path).unwrap();
    };
    for bad in ["", table("two.test").get(..90).unwrap(), table("two.test").trim_end(), "<html>\n", "kind: [\n"] {
        put(bad);
        let code = next();
        assert!(code == "CR005" || code == "CR006", "{bad}: {code}");
        assert_eq!(host(), "one.test");
    }
    put(&table("two.test"));
    assert_eq!((next().as_str(), host().as_str()), ("2", "two.test"));
}
