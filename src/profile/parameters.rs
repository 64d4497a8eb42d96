//! `with`: what an entry tells its profile.

use std::collections::BTreeMap;

/// One parameter of a profile.
#[derive(Debug)]
pub struct Parameter {
    /// Its name under `with`.
    pub name: &'static str,
    /// Whether it is a list.
    pub list: bool,
    /// Whether the profile can do without.
    pub optional: bool,
    /// Judges a value; the error says what its form is.
    pub form: fn(&str) -> Result<(), &'static str>,
}

impl Parameter {
    /// One value that must be there.
    pub(super) const fn one(name: &'static str, form: fn(&str) -> Result<(), &'static str>) -> Self {
        Self { name, list: false, optional: false, form }
    }

    /// One value without which the issuer is the common one.
    pub(super) const fn maybe(name: &'static str, form: fn(&str) -> Result<(), &'static str>) -> Self {
        Self { name, list: false, optional: true, form }
    }
}

/// The parameters of one entry, each of its form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<&'static str, Vec<String>>);

impl Parameters {
    /// Adds the values of a parameter.
    pub fn put(&mut self, parameter: &Parameter, values: Vec<String>) {
        self.0.insert(parameter.name, values);
    }

    /// Whether the entry says it.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The values of a list; none where the entry does not say it.
    pub fn list(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The one value; empty where the entry does not say it.
    pub fn one(&self, name: &str) -> &str {
        self.list(name).first().map_or("", String::as_str)
    }
}
