//! What whoever runs credence lays open to the authors of a table: the same for every verb that reads one.

use std::path::PathBuf;

use clap::Args;

use crate::fetch;
use crate::table::Permissions;

#[derive(Debug, Clone, Args)]
pub(super) struct Open {
    /// The directory whose files a table may name as `bearerTokenFile` and `clientKeyFile`, which are sent to the
    /// issuer that it names. Without it those fields are errors.
    #[arg(long, env = "CREDENCE_SECRETS_DIR", value_name = "DIR")]
    secrets_dir: Option<PathBuf>,
    /// Where the token and the authority of this pod's service account are, for `kubernetes: inCluster`; without it
    /// where Kubernetes puts them.
    #[arg(long, env = "CREDENCE_SERVICE_ACCOUNT_DIR", value_name = "DIR")]
    service_account_dir: Option<PathBuf>,
}

impl Open {
    pub(super) fn permissions(&self) -> Permissions {
        Permissions { secrets_dir: given(self.secrets_dir.as_ref()) }
    }

    /// The same and what the environment says, for whoever fetches.
    pub(super) fn outside(&self) -> fetch::Surroundings {
        let mut outside = fetch::Surroundings::of_process();
        outside.secrets_dir = given(self.secrets_dir.as_ref());
        outside.service_account_dir = given(self.service_account_dir.as_ref());
        outside
    }
}

/// An empty variable is one that is not set: an empty path would be the beginning of every other.
pub(super) fn given(path: Option<&PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty()).cloned()
}
