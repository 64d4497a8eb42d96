//! What whoever runs credence lays open to the authors of a table: the same for every verb that reads one.

use std::path::PathBuf;

use clap::Args;

use crate::table::Surroundings;

#[derive(Debug, Clone, Args)]
pub(super) struct Open {
    /// The directory whose files a table may name as `bearerTokenFile` and `clientKeyFile`, which are sent to the
    /// issuer that it names. Without it those fields are errors.
    #[arg(long, env = "CREDENCE_SECRETS_DIR", value_name = "DIR")]
    secrets_dir: Option<PathBuf>,
}

impl Open {
    pub(super) fn surroundings(&self) -> Surroundings {
        Surroundings { secrets_dir: self.secrets_dir.clone() }
    }
}
