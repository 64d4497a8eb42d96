//! Rendered objects as JSON, found by kind and name.

use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

use crate::yaml::json;

/// What one rendering made, in its order.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    /// As helm wrote it.
    pub(crate) text: String,
    all: Vec<Value>,
}

impl Objects {
    /// Reads what `helm template` wrote.
    pub(crate) fn read(text: String) -> Self {
        let all = documents(&text).into_iter().filter(|object| !object.is_null()).collect();
        Self { text, all }
    }

    /// Every object.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.all.iter()
    }

    /// The objects of this kind.
    pub(crate) fn of<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> {
        self.all.iter().filter(move |object| object["kind"] == kind)
    }

    /// The object of this kind and name.
    pub(crate) fn named(&self, kind: &str, name: &str) -> &Value {
        let found = self.of(kind).find(|object| object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name} in\n{}", self.text))
    }

    /// The only object of this kind.
    pub(crate) fn only(&self, kind: &str) -> &Value {
        let found: Vec<&Value> = self.of(kind).collect();
        assert_eq!(found.len(), 1, "{kind} in\n{}", self.text);
        found[0]
    }

    /// Whether there is none of this kind.
    pub(crate) fn lacks(&self, kind: &str) -> bool {
        self.of(kind).next().is_none()
    }

    /// The pod that the workload makes.
    pub(crate) fn pod(&self) -> &Value {
        let workload = self.of("Deployment").chain(self.of("DaemonSet")).next();
        &workload.unwrap_or_else(|| panic!("no workload in\n{}", self.text))["spec"]["template"]
    }

    /// The container `credence` of that pod.
    pub(crate) fn container(&self) -> &Value {
        item(&self.pod()["spec"]["containers"], "credence")
    }

    /// The arguments of that container.
    pub(crate) fn args(&self) -> Vec<String> {
        strings(&self.container()["args"])
    }
}

/// Every document of a YAML text.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}")).iter().map(json).collect()
}

/// The item of a list with this name.
pub(crate) fn item<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list.as_array().and_then(|items| items.iter().find(|item| item["name"] == name));
    found.unwrap_or_else(|| panic!("no {name} in {list:#}"))
}

/// A list of strings.
pub(crate) fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list:#}"));
    items.iter().map(|item| item.as_str().unwrap_or_else(|| panic!("no string: {item}")).to_owned()).collect()
}
