//! What a store says of itself (`INFO`).

use super::trouble::{Kind, REPLICA, Trouble};

/// What is read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Names an unbroken life of the data: another process (a restart, even from a file, may have lost the last writes), another
    /// turn as primary (a failover may have), or keys that were evicted make it another.
    pub(super) life: String,
    /// What its operator should change.
    pub(super) warning: Option<String>,
}

impl Greeting {
    /// Reads the text of `INFO`.
    ///
    /// # Errors
    /// A store that cannot be spent at, or that does not say what must be known.
    pub(super) fn read(info: &str) -> Result<Self, Trouble> {
        let field = |name: &str| {
            let mut lines = info.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        if field("loading").is_some_and(|loading| loading != "0") {
            return Err(Trouble::new(Kind::Loading, "is still loading its data".to_owned()));
        }
        if field("role") == Some("slave") {
            return Err(Trouble::new(Kind::Replica, REPLICA.to_owned()));
        }
        if field("redis_mode").or(field("server_mode")).is_some_and(|mode| mode != "standalone") {
            let text = "is a cluster or a sentinel: name a single primary, or redis+sentinel:// for sentinels";
            return Err(Trouble::new(Kind::Unsuitable, text.to_owned()));
        }
        let name =
            |name| field(name).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let (Some(process), Some(turn), Some(evicted), Some("master")) =
            (name("run_id"), name("master_replid"), name("evicted_keys"), field("role"))
        else {
            let text = "does not tell what must be known of it (INFO: role, run_id, master_replid, evicted_keys): is it a \
                        proxy?";
            return Err(Trouble::new(Kind::Unsuitable, text.to_owned()));
        };
        Ok(Self {
            life: format!("{process}:{turn}:{evicted}"),
            warning: warning(field("maxmemory_policy"), field("maxmemory")),
        })
    }
}

fn warning(policy: Option<&str>, limit: Option<&str>) -> Option<String> {
    let policy = policy?;
    (policy != "noeviction").then(|| {
        let when = if limit == Some("0") { "if it is ever given a maxmemory" } else { "once its maxmemory is reached" };
        format!(
            "may evict keys {when} (maxmemory-policy {policy}): a token whose key was evicted could be used again until that is \
             noticed, up to a second later, and then every older token is refused. Set maxmemory-policy noeviction"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nrun_id:aa\r\nredis_mode:standalone\r\n# Memory\r\nmaxmemory:100\r\n\
        maxmemory_policy:noeviction\r\nloading:0\r\nevicted_keys:0\r\nrole:master\r\nmaster_replid:bb\r\nmaster_replid2:00\r\n";

    #[test]
    fn another_process_another_turn_as_primary_and_evicted_keys_are_another_life() {
        let life = |from: &str, to: &str| Greeting::read(&GOOD.replace(from, to)).unwrap().life;
        let lives =
            [life("x", "x"), life("run_id:aa", "run_id:ab"), life("replid:bb", "replid:ba"), life("keys:0", "keys:7")];
        assert_eq!(lives[0], "aa:bb:0");
        assert_eq!(lives.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn a_store_that_cannot_be_spent_at_says_why() {
        for (from, to, kind) in [
            ("loading:0", "loading:1", Kind::Loading),
            ("role:master", "role:slave", Kind::Replica),
            ("standalone", "cluster", Kind::Unsuitable),
            ("redis_mode:standalone", "server_mode:sentinel", Kind::Unsuitable),
            ("run_id:aa", "", Kind::Unsuitable),
            ("run_id:aa", "run_id:a b", Kind::Unsuitable),
            ("master_replid:bb", "", Kind::Unsuitable),
            ("evicted_keys:0", "", Kind::Unsuitable),
            ("role:master", "", Kind::Unsuitable),
        ] {
            assert_eq!(Greeting::read(&GOOD.replace(from, to)).unwrap_err().kind, kind, "{to}");
        }
    }

    #[test]
    fn policies_that_evict_are_warned_of() {
        let warning = |policy: &str| Greeting::read(&GOOD.replace("noeviction", policy)).unwrap().warning;
        assert_eq!(warning("noeviction"), None);
        for policy in ["allkeys-lru", "volatile-ttl"] {
            assert!(warning(policy).unwrap().contains(policy));
        }
    }
}
