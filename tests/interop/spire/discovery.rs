//! SPIRE's OIDC discovery provider: the same keys for those who want an `iss` that is a URL.

use super::{AUDIENCE, Domain, Endpoint, SETTLER, ask, grant, refused, table};
use crate::support::credence::Credence;
use crate::system::free_port;
use crate::token::{claims, tampered};

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_token_with_an_iss_is_accepted_by_the_keys_of_the_discovery_provider() {
    let port = free_port();
    let url = format!("https://localhost:{port}");
    let fabric = Domain::with("fabric.test", Endpoint::Web, &format!("jwt_issuer = \"{url}\""));
    let _provider = fabric.discovery_provider(port);
    let entry = format!(
        "  fabric: {{issuer: \"{url}\", caFile: {}, owner: platform@acme.test, reviewBy: 2099-01-01}}\n",
        fabric.ca_file()
    );
    let table = table(&entry, &grant("fabric", &fabric.id(SETTLER)));
    let credence = Credence::serve(table.path()).start();
    let (_, published) = fabric.get(&format!("{url}/keys"));
    assert!(published["keys"][0]["kty"].is_string() && published["keys"][0]["use"].is_null(), "{published}");
    let token = fabric.mint(SETTLER, AUDIENCE);
    assert_eq!(claims(&token)["iss"], *url);
    let answer = ask(&credence, &token);
    assert!(answer.allowed(), "{}", answer.reason());
    assert_eq!(answer.header("x-credence-issuer").as_deref(), Some(url.as_str()));
    assert_eq!(answer.header("x-credence-subject"), Some(fabric.id(SETTLER)));
    refused(&credence, &tampered(&token), 401, "signature_invalid");
}
