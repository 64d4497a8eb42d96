//! What a store says of itself (`INFO`, and `CLUSTER INFO` of a node of a cluster).

use super::trouble::{Kind, NO_CLUSTER, REPLICA, Trouble};

/// What is read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Names an unbroken life of the data: another process (a restart, even from a file, may have lost the last writes) or another
    /// turn as primary (a failover may have) make it another; in a cluster also another turn as owner of slots, so that
    /// what comes back with a slot from elsewhere is never taken for what this node knew.
    pub(super) life: String,
    /// How many keys were evicted, as far as its statistics go back.
    pub(super) evicted: String,
    /// What its operator should change.
    pub(super) warning: Option<String>,
}

impl Greeting {
    /// Reads the text of `INFO`, and of a node of a cluster that of `CLUSTER INFO`.
    ///
    /// # Errors
    /// A store that cannot be spent at, or that does not say what must be known.
    pub(super) fn read(info: &str, cluster: Option<&str>) -> Result<Self, Trouble> {
        let field = |name: &str| field(info, name);
        if field("loading").is_some_and(|loading| loading != "0") {
            return Err(Trouble::new(Kind::Loading, "is still loading its data".to_owned()));
        }
        if field("role") == Some("slave") {
            return Err(Trouble::new(Kind::Replica, REPLICA.to_owned()));
        }
        let wanted = if cluster.is_some() { "cluster" } else { "standalone" };
        match field("redis_mode").or(field("server_mode")) {
            Some(mode) if mode == wanted => {}
            Some("cluster") => {
                return unsuitable("is a node of a cluster: write redis+cluster:// and name several of its nodes");
            }
            Some("sentinel") => {
                return unsuitable("is a sentinel: write redis+sentinel:// and what it calls the primary");
            }
            Some(_) if cluster.is_some() => return unsuitable(NO_CLUSTER),
            _ => {}
        }
        let turn_as_owner = cluster.map(turn_as_owner).transpose()?;
        let name = |name| field(name).filter(is_name);
        let (Some(process), Some(turn), Some(evicted), Some("master")) =
            (name("run_id"), name("master_replid"), name("evicted_keys"), field("role"))
        else {
            return unsuitable(
                "does not tell what must be known of it (INFO: role, run_id, master_replid, evicted_keys): is it a proxy?",
            );
        };
        let mut life = format!("{process}:{turn}");
        if let Some(turn) = turn_as_owner {
            life.push(':');
            life.push_str(turn);
        }
        Ok(Self { life, evicted: evicted.to_owned(), warning: warning(field("maxmemory_policy"), field("maxmemory")) })
    }
}

fn unsuitable<T>(text: &str) -> Result<T, Trouble> {
    Err(Trouble::new(Kind::Unsuitable, text.to_owned()))
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn is_name(text: &&str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The node's configuration epoch: no slot comes to a node without a higher one.
fn turn_as_owner(cluster: &str) -> Result<&str, Trouble> {
    match field(cluster, "cluster_state") {
        Some("ok") => {}
        state => {
            let text =
                format!("belongs to a cluster that is not in order (cluster_state {})", state.unwrap_or("not told"));
            return Err(Trouble::new(Kind::Cluster, text));
        }
    }
    match field(cluster, "cluster_my_epoch").filter(is_name) {
        Some(turn) => Ok(turn),
        None => unsuitable("does not tell what must be known of it (CLUSTER INFO: cluster_my_epoch): is it a proxy?"),
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
    fn another_process_and_another_turn_as_primary_are_another_life_and_evicted_keys_are_told() {
        let read = |from: &str, to: &str| Greeting::read(&GOOD.replace(from, to), None).unwrap();
        let lives =
            [("x", "x"), ("run_id:aa", "run_id:ab"), ("replid:bb", "replid:ba")].map(|(from, to)| read(from, to).life);
        assert_eq!(lives[0], "aa:bb");
        assert_eq!(lives.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        assert_eq!(["keys:0", "keys:7"].map(|to| read("keys:0", to).evicted), ["0", "7"]);
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
            assert_eq!(Greeting::read(&GOOD.replace(from, to), None).unwrap_err().kind, kind, "{to}");
        }
    }

    #[test]
    fn another_turn_as_owner_of_slots_is_another_life_of_a_node_of_a_cluster() {
        let info = GOOD.replace("standalone", "cluster");
        let life = |cluster: &str| Greeting::read(&info, Some(cluster)).map(|greeting| greeting.life);
        assert_eq!(life("cluster_state:ok\r\ncluster_my_epoch:3\r\n"), Ok("aa:bb:3".to_owned()));
        for (cluster, kind) in [
            ("cluster_state:fail\r\ncluster_my_epoch:3\r\n", Kind::Cluster),
            ("cluster_my_epoch:3\r\n", Kind::Cluster),
            ("cluster_state:ok\r\n", Kind::Unsuitable),
        ] {
            assert_eq!(life(cluster).unwrap_err().kind, kind, "{cluster}");
        }
        assert_eq!(Greeting::read(GOOD, Some("")).unwrap_err().kind, Kind::Unsuitable, "no cluster where one is named");
    }

    #[test]
    fn policies_that_evict_are_warned_of() {
        let warning = |policy: &str| Greeting::read(&GOOD.replace("noeviction", policy), None).unwrap().warning;
        assert_eq!(warning("noeviction"), None);
        for policy in ["allkeys-lru", "volatile-ttl"] {
            assert!(warning(policy).unwrap().contains(policy));
        }
    }
}
