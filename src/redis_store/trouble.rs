//! What keeps a store from answering, in words for its operator.

use redis::{ErrorKind, RedisError};

use super::address::StoreAddress;

/// Two troubles of one kind are one to whoever reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Files,
    Unreachable,
    Late,
    Password,
    Permission,
    Loading,
    Full,
    Replica,
    Unsuitable,
    Cluster,
    Clock,
    Other,
}

/// Why there is no session. The text goes on after "the replay store".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Trouble {
    pub(super) const fn new(kind: Kind, text: String) -> Self {
        Self { kind, text }
    }

    /// It did not answer in time.
    pub(super) fn late(address: &StoreAddress) -> Self {
        Self::new(Kind::Late, format!("({address}) does not answer in time"))
    }

    /// What the library says.
    pub(super) fn of(error: &RedisError, address: &StoreAddress) -> Self {
        // Of several commands that failed together, the first tells.
        let first =
            error.clone().into_server_errors().and_then(|errors| errors.first().map(|(_, error)| error.clone()));
        let (code, said) = match &first {
            Some(first) => (Some(first.code()), first.to_string()),
            None => (error.code(), error.to_string()),
        };
        let (kind, text) = match (error.kind(), code) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => (
                Kind::Password,
                "does not take the user or the password: check --replay-password-file, which is read again for each try".to_owned(),
            ),
            (_, Some("NOAUTH")) => {
                (Kind::Password, "asks for a password: name a file that holds it with --replay-password-file".to_owned())
            }
            (_, Some("NOPERM")) => (
                Kind::Permission,
                format!("does not permit what is needed (ACL: ~credence:replay:* +set +get +pexpire +info +time, of a cluster also +cluster|info): {said}"),
            ),
            (_, Some("LOADING")) => (Kind::Loading, "is still loading its data".to_owned()),
            (_, Some("READONLY")) => (Kind::Replica, REPLICA.to_owned()),
            (_, Some("OOM")) => (Kind::Full, "is full: raise its maxmemory".to_owned()),
            (_, Some("MOVED" | "ASK" | "TRYAGAIN")) => (
                Kind::Cluster,
                format!("({address}) gives a part of its keys to another node, and is waited for: {said}"),
            ),
            _ if said.contains("cluster support disabled") => (Kind::Unsuitable, NO_CLUSTER.to_owned()),
            (_, Some("CLUSTERDOWN")) => (Kind::Cluster, format!("({address}) belongs to a cluster that is not in order: {said}")),
            _ if error.is_timeout() => return Self::late(address),
            _ if error.is_io_error() => (Kind::Unreachable, format!("({address}) cannot be reached: {said}")),
            _ => (Kind::Other, format!("({address}) answers with an error: {said}")),
        };
        Self { kind, text }
    }
}

/// What is said of a replica.
pub(super) const REPLICA: &str = "is a replica, which takes no writes: name the primary, or sentinels that know it";

/// What is said of a server that stands alone where a cluster was named.
pub(super) const NO_CLUSTER: &str = "is no cluster: write redis:// and name the primary";
