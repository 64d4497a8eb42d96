//! The real helm, kept away from the user's own configuration and clusters.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::objects::Objects;
use crate::support::{root, scratch};

/// The release's name and namespace in every rendering.
pub(crate) const RELEASE: &str = "rel";
pub(crate) const NAMESPACE: &str = "trust";
/// What objects are called then.
pub(crate) const NAME: &str = "rel-credence";
/// The Kubernetes versions that the chart is held against, oldest and newest included.
pub(crate) const KUBERNETES: [&str; 3] = ["1.30.14", "1.33.5", "1.35.4"];

/// Something that a script of scripts/helm has brought.
pub(crate) fn brought(path: &str) -> PathBuf {
    let path = root().join(".tools").join(path);
    assert!(path.exists(), "{} is not there: `make test-helm` brings it", path.display());
    path
}

/// The chart.
pub(crate) fn chart() -> PathBuf {
    root().join("helm/credence")
}

/// A file of the chart.
pub(crate) fn chart_file(name: &str) -> String {
    std::fs::read_to_string(chart().join(name)).unwrap()
}

/// The value files under `ci/`, by name, in order.
pub(crate) fn examples() -> Vec<String> {
    let names = std::fs::read_dir(chart().join("ci")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    let stem = |name: &String| name.strip_suffix("-values.yaml").map(str::to_owned);
    names.iter().map(|name| stem(name).unwrap_or_else(|| panic!("ci/{name} is not called NAME-values.yaml"))).collect()
}

/// helm with these arguments.
pub(crate) fn helm(home: &Path, args: &[String]) -> Output {
    let at = |name: &str| home.join(name);
    Command::new(brought("helm/bin/helm"))
        .args(args)
        .env("HELM_CACHE_HOME", at("cache"))
        .env("HELM_CONFIG_HOME", at("config"))
        .env("HELM_DATA_HOME", at("data"))
        .env("KUBECONFIG", at("kubeconfig"))
        .output()
        .unwrap()
}

/// A release in the making.
#[derive(Debug)]
pub(crate) struct Release {
    home: TempDir,
    kubernetes: &'static str,
    name: &'static str,
    args: Vec<String>,
}

impl Release {
    /// By the chart's own defaults.
    pub(crate) fn bare() -> Self {
        Self { home: scratch(), kubernetes: KUBERNETES[2], name: RELEASE, args: Vec::new() }
    }

    /// By `ci/NAME-values.yaml`.
    pub(crate) fn of(example: &str) -> Self {
        let mut release = Self::bare();
        let file = chart().join(format!("ci/{example}-values.yaml"));
        release.args.extend(["--values".to_owned(), file.display().to_string()]);
        release
    }

    /// With these values besides.
    pub(crate) fn with(mut self, yaml: &str) -> Self {
        let file = self.home.path().join(format!("{}.yaml", self.args.len()));
        std::fs::write(&file, yaml).unwrap();
        self.args.extend(["--values".to_owned(), file.display().to_string()]);
        self
    }

    /// With this value besides (`a.b=c`).
    pub(crate) fn set(mut self, value: &str) -> Self {
        self.args.extend(["--set".to_owned(), value.to_owned()]);
        self
    }

    /// For this version of Kubernetes.
    pub(crate) const fn on(mut self, kubernetes: &'static str) -> Self {
        self.kubernetes = kubernetes;
        self
    }

    /// Under this name.
    pub(crate) const fn called(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// A verb of helm on the release and the chart.
    pub(crate) fn run(&self, verb: &[&str]) -> Output {
        self.run_on(&chart(), verb)
    }

    fn run_on(&self, chart: &Path, verb: &[&str]) -> Output {
        let mut args: Vec<String> = verb.iter().map(|&arg| arg.to_owned()).collect();
        args.push(chart.display().to_string());
        args.extend(["--namespace".to_owned(), NAMESPACE.to_owned()]);
        args.extend(self.args.iter().cloned());
        helm(self.home.path(), &args)
    }

    /// Lets it be installed where this configuration leads.
    pub(crate) fn kubeconfig(&self, text: &str) {
        std::fs::write(self.home.path().join("kubeconfig"), text).unwrap();
    }

    /// Takes it away again.
    pub(crate) fn uninstall(&self) {
        let args = ["uninstall", RELEASE, "--namespace", NAMESPACE].map(str::to_owned);
        let output = helm(self.home.path(), &args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn template(&self) -> Output {
        self.run(&["template", self.name, "--kube-version", self.kubernetes])
    }

    /// What is rendered.
    pub(crate) fn render(&self) -> Objects {
        let output = self.template();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Objects::read(String::from_utf8(output.stdout).unwrap())
    }

    /// Why nothing is rendered.
    pub(crate) fn refusal(&self) -> String {
        let output = self.template();
        assert!(!output.status.success(), "rendered:\n{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    /// What whoever installs it is told. helm shows it where there is a cluster only, so a copy of the chart renders it
    /// into an object.
    pub(crate) fn notes(&self) -> String {
        let copy = self.home.path().join("copy");
        let status = Command::new("cp").arg("-r").arg(chart()).arg(&copy).status().unwrap();
        assert!(status.success());
        std::fs::rename(copy.join("templates/NOTES.txt"), copy.join("notes.txt")).unwrap();
        let object =
            "kind: Notes\nmetadata: {name: notes}\ntext: |\n{{ tpl (.Files.Get \"notes.txt\") . | indent 2 }}\n";
        std::fs::write(copy.join("templates/notes.yaml"), object).unwrap();
        let output = self.run_on(&copy, &["template", RELEASE, "--kube-version", self.kubernetes]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let objects = Objects::read(String::from_utf8(output.stdout).unwrap());
        objects.named("Notes", "notes")["text"].as_str().unwrap().to_owned()
    }
}
