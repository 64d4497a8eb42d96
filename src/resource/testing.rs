//! What tests of several rooms begin with.

use std::sync::Arc;

use super::{CredentialPlace, Resource, ResourceId};
use crate::name::{Audience, ResourceName, Site};

/// A resource of this name and audience, with no host, no path and no condition yet.
pub(crate) fn plain(name: &str) -> Resource {
    Resource {
        id: ResourceId(0),
        name: ResourceName::new(name),
        site: Site { file: Arc::from("t"), line: 1, column: 1 },
        audience: Audience::new(name),
        hosts: Vec::new(),
        paths: Vec::new(),
        context: Vec::new(),
        route: None,
        anonymous: Vec::new(),
        credential: CredentialPlace::Authorization,
        forward_token: false,
        forward_overrides: false,
        encoded_slash_is_data: false,
        observe: None,
        resource_metadata: None,
        expires: None,
    }
}
