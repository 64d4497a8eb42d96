//! Secrets: from where they are read, and to whom they are shown.

use tempfile::TempDir;

use super::super::testing::{Authority, Certificate, Server, answer, ok};
use super::*;
use crate::keys::ClientCertificate;

fn with_secrets(folder: &TempDir) -> Surroundings {
    Surroundings { secrets_dir: Some(folder.path().to_owned()), ..Surroundings::default() }
}

fn bearing(mut origin: KeyOrigin, path: std::path::PathBuf) -> KeyOrigin {
    origin.access.bearer_token_file = Some(path);
    origin
}

#[tokio::test]
async fn a_bearer_token_is_read_anew_for_each_fetch() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    server.set("/keys", ok(&keys("k")));
    let origin = bearing(jwks(server.url("/keys")), file(&folder, "token", "first\n"));
    let (loader, mut memory) = (loader(with_secrets(&folder)), Memory::default());
    loader.load(&origin, Errand::Round, &mut memory).await.unwrap();
    file(&folder, "token", "second");
    loader.load(&origin, Errand::Round, &mut memory).await.unwrap();
    assert_eq!(sent(&server, "authorization"), ["Bearer first", "Bearer second"]);
}

#[tokio::test]
async fn a_bearer_token_goes_to_the_configured_origin_and_to_no_listed_host() {
    let (server, foreign, folder) = (Server::start().await, Server::start().await, TempDir::new().unwrap());
    let issuer = server.url("");
    server.set("/d", ok(&discovery_document(&issuer, &foreign.url("/keys"))));
    foreign.set("/keys", ok(&keys("k")));
    let listed = format!("127.0.0.1:{}", foreign.port());
    let origin = bearing(discovery(&issuer, server.url("/d"), &[&listed]), file(&folder, "token", "hunter2"));
    load_within(with_secrets(&folder), &origin).await.unwrap();
    assert_eq!(sent(&server, "authorization"), ["Bearer hunter2"]);
    assert_eq!((foreign.connections(), sent(&foreign, "authorization").len()), (1, 0));

    server.set("/d", ok(&discovery_document(&issuer, &server.url("/keys"))));
    server.set("/keys", ok(&keys("k")));
    load_within(with_secrets(&folder), &origin).await.unwrap();
    assert_eq!(sent(&server, "authorization").len(), 3, "its own origin gets it for the keys too");
}

#[tokio::test]
async fn a_refusal_says_whether_a_credential_was_sent() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let with = bearing(jwks(server.url("/keys")), file(&folder, "token", "hunter2"));
    for status in ["401 Unauthorized", "403 Forbidden"] {
        server.set("/keys", answer(status, "", ""));
        let without = load_within(with_secrets(&folder), &jwks(server.url("/keys"))).await;
        fails(without, FetchResult::Status, "it wants a credential (bearerTokenFile)");
        let outcome = load_within(with_secrets(&folder), &with).await;
        fails(outcome, FetchResult::Status, "it wants another credential (bearerTokenFile)");
    }
}

#[tokio::test]
async fn a_redirect_does_not_carry_a_bearer_token_away() {
    let (server, target, folder) = (Server::start().await, Server::start().await, TempDir::new().unwrap());
    for status in ["302 Found", "307 Temporary", "308 Permanent"] {
        server.set("/keys", answer(status, &format!("location: {}\r\n", target.url("/keys")), ""));
        let origin = bearing(jwks(server.url("/keys")), file(&folder, "token", "hunter2"));
        fails(load_within(with_secrets(&folder), &origin).await, FetchResult::Redirect, "not followed");
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_bearer_token_is_not_even_read_for_plain_http_to_another_machine() {
    let folder = TempDir::new().unwrap();
    let origin = bearing(jwks("http://idp.test/keys".to_owned()), folder.path().join("absent"));
    fails(load_within(with_secrets(&folder), &origin).await, FetchResult::Url, "use https");
}

#[tokio::test]
async fn a_token_that_is_no_token_is_refused_and_told_to_nobody() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    for bad in
        ["", "\n", "hunter2\nx: y", "hunter2\r\n", "hunter2 hunter2", "hunter2\n\n", "hunter2\u{e9}", "hunter2\0"]
    {
        let origin = bearing(jwks(server.url("/keys")), file(&folder, "token", bad));
        let error = load_within(with_secrets(&folder), &origin).await.unwrap_err();
        assert_eq!(error.result(), FetchResult::File, "{bad:?}: {error}");
        let told = error.to_string();
        assert!(told.contains("token") && told.contains("bearerTokenFile") && !told.contains("hunter2"), "{told}");
    }
    let origin = bearing(jwks(server.url("/keys")), file(&folder, "token", "x".repeat((16 << 10) + 1)));
    fails(load_within(with_secrets(&folder), &origin).await, FetchResult::TooLarge, "16384");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_token_that_the_server_refuses_is_not_repeated() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    server.set("/keys", answer("401 Unauthorized", "", "hunter2"));
    let origin = bearing(jwks(server.url("/keys")), file(&folder, "token", "hunter2"));
    let told = load_within(with_secrets(&folder), &origin).await.unwrap_err().to_string();
    assert!(told.contains("401") && told.contains("bearerTokenFile") && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_secret_outside_the_secrets_directory_is_never_read() {
    let (server, vault, outside) = (Server::start().await, TempDir::new().unwrap(), TempDir::new().unwrap());
    server.set("/keys", ok(&keys("k")));
    let secret = file(&outside, "passwd", "hunter2");
    let link = vault.path().join("link");
    std::os::unix::fs::symlink(&secret, &link).unwrap();
    let linked_folder = vault.path().join("folder");
    std::os::unix::fs::symlink(outside.path(), &linked_folder).unwrap();
    let climbing = vault.path().join("..").join(outside.path().file_name().unwrap()).join("passwd");
    assert!(climbing.exists());
    for path in [secret.clone(), link, linked_folder.join("passwd"), climbing] {
        let outcome = load_within(with_secrets(&vault), &bearing(jwks(server.url("/keys")), path)).await;
        fails(outcome, FetchResult::File, "does not lie under");
    }
    // A directory whose name merely begins alike is another one.
    let twin = std::path::PathBuf::from(format!("{}-twin", vault.path().display()));
    std::fs::create_dir(&twin).unwrap();
    std::fs::write(twin.join("token"), "hunter2").unwrap();
    let outcome = load_within(with_secrets(&vault), &bearing(jwks(server.url("/keys")), twin.join("token"))).await;
    std::fs::remove_dir_all(&twin).unwrap();
    fails(outcome, FetchResult::File, "does not lie under");
    let outcome = load_within(Surroundings::default(), &bearing(jwks(server.url("/keys")), secret)).await;
    fails(outcome, FetchResult::File, "--secrets-dir");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_link_within_the_secrets_directory_is_followed() {
    let (server, vault) = (Server::start().await, TempDir::new().unwrap());
    server.set("/keys", ok(&keys("k")));
    // As Kubernetes mounts a Secret: token -> ..data/token, ..data -> ..2026_01_01
    std::fs::create_dir(vault.path().join("..2026_01_01")).unwrap();
    std::fs::write(vault.path().join("..2026_01_01/token"), "abc").unwrap();
    std::os::unix::fs::symlink("..2026_01_01", vault.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/token", vault.path().join("token")).unwrap();
    let origin = bearing(jwks(server.url("/keys")), vault.path().join("token"));
    load_within(with_secrets(&vault), &origin).await.unwrap();
    assert_eq!(sent(&server, "authorization"), ["Bearer abc"]);
}

/// A server for `idp.test` that asks for client certificates of `clients`, and what is needed to visit it.
struct Asking {
    clients: Authority,
    servers: Authority,
    folder: TempDir,
    server: Server,
}

impl Asking {
    async fn start() -> Self {
        let (clients, servers) = (Authority::new(), Authority::new());
        let server = Server::start_asking(&servers.sign(&["idp.test", "keys.test"]), &clients).await;
        server.set("/keys", ok(&keys("k")));
        Self { clients, servers, folder: TempDir::new().unwrap(), server }
    }

    fn origin(&self, source: KeySource, client: &Certificate) -> KeyOrigin {
        let certificate = file(&self.folder, "client.pem", client.pem());
        let key = file(&self.folder, "client.key", client.key_pem());
        let access = Access {
            ca_file: Some(file(&self.folder, "ca.pem", self.servers.pem())),
            client_certificate: Some(ClientCertificate { certificate, key }),
            ..Access::default()
        };
        KeyOrigin { access, ..KeyOrigin::plain(source) }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.server.port())
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_the_configured_origin() {
    let world = Asking::start().await;
    let origin = world.origin(KeySource::Url { url: world.url("idp.test", "/keys") }, &world.clients.sign(&["me"]));
    load_within(with_secrets(&world.folder), &origin).await.unwrap();
    assert_eq!(world.server.shown(), 1);
    // One that has rotated is shown at the next fetch; here to one that the server does not know.
    world.origin(origin.source.clone(), &Authority::new().sign(&["me"]));
    assert!(load_within(with_secrets(&world.folder), &origin).await.is_err());
}

#[tokio::test]
async fn an_alert_is_told_by_what_was_shown() {
    let world = Asking::start().await;
    let stranger = Authority::new().sign(&["me"]);
    let origin = world.origin(KeySource::Url { url: world.url("idp.test", "/keys") }, &stranger);
    let outcome = load_within(with_secrets(&world.folder), &origin).await;
    fails(outcome, FetchResult::Tls, "does it know the authority that signed the client certificate");
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_server_that_proves_a_spiffe_id() {
    const ID: &str = "spiffe://acme.test/spire/server";
    let mut world = Asking::start().await;
    world.server = Server::start_asking(&world.servers.sign(&[ID]), &world.clients).await;
    world.server.set("/keys", ok(&keys("k")));
    let source = KeySource::Url { url: world.url("idp.test", "/keys") };
    let mut origin = world.origin(source, &world.clients.sign(&["me"]));
    origin.access.server = crate::keys::ServerIdentity::Spiffe(ID.to_owned());
    load_within(with_secrets(&world.folder), &origin).await.unwrap();
    assert_eq!(world.server.shown(), 1);
    file(&world.folder, "client.key", world.clients.sign(&["me"]).key_pem());
    fails(load_within(with_secrets(&world.folder), &origin).await, FetchResult::Tls, "belong together");
}

#[tokio::test]
async fn a_client_certificate_is_not_shown_to_a_listed_host() {
    let world = Asking::start().await;
    let issuer = world.url("idp.test", "");
    let KeyOrigin { source, .. } =
        discovery(&issuer, world.url("idp.test", "/d"), &[&format!("keys.test:{}", world.server.port())]);
    world.server.set("/d", ok(&discovery_document(&issuer, &world.url("keys.test", "/keys"))));
    let origin = world.origin(source, &world.clients.sign(&["me"]));
    load_within(with_secrets(&world.folder), &origin).await.unwrap();
    assert_eq!((world.server.connections(), world.server.shown()), (2, 1));
}

#[tokio::test]
async fn a_client_certificate_that_cannot_be_used_is_told_by_its_field() {
    let world = Asking::start().await;
    let source = KeySource::Url { url: world.url("idp.test", "/keys") };
    let (one, other) = (world.clients.sign(&["me"]), world.clients.sign(&["me"]));
    let origin = world.origin(source, &one);
    let outside = load_within(Surroundings::default(), &origin).await;
    fails(outside, FetchResult::File, "clientKeyFile");
    file(&world.folder, "client.key", other.key_pem());
    fails(load_within(with_secrets(&world.folder), &origin).await, FetchResult::Tls, "client certificate");
    file(&world.folder, "client.key", "junk");
    fails(load_within(with_secrets(&world.folder), &origin).await, FetchResult::Tls, "clientKeyFile");
    file(&world.folder, "client.pem", one.key_pem());
    fails(load_within(with_secrets(&world.folder), &origin).await, FetchResult::Tls, "clientCertFile");
    assert_eq!(world.server.shown(), 0);
}

#[tokio::test]
async fn the_cluster_around_is_asked_by_its_service_account() {
    let (authority, account) = (Authority::new(), TempDir::new().unwrap());
    let server = Server::start_tls(&authority.sign(&["idp.test"])).await;
    server.set("/openid/v1/jwks", ok(&keys("k")));
    file(&account, "ca.crt", authority.pem());
    file(&account, "token", "one");
    let surroundings = Surroundings {
        service_account_dir: Some(account.path().to_owned()),
        cluster: Some(("idp.test".to_owned(), server.port().to_string())),
        ..Surroundings::default()
    };
    let (origin, loader, mut memory) =
        (KeyOrigin::plain(KeySource::InCluster), loader(surroundings), Memory::default());
    loader.load(&origin, Errand::Round, &mut memory).await.unwrap();
    file(&account, "token", "two");
    loader.load(&origin, Errand::Keys, &mut memory).await.unwrap();
    assert_eq!(sent(&server, "authorization"), ["Bearer one", "Bearer two"]);
    file(&account, "ca.crt", Authority::new().pem());
    let other_authority = loader.load(&origin, Errand::Round, &mut memory).await.unwrap_err();
    assert_eq!(other_authority.result(), FetchResult::Tls, "{other_authority}");
    assert!(other_authority.to_string().ends_with("/ca.crt"), "{other_authority}");
    assert!(!other_authority.to_string().contains("caFile"), "no table says it: {other_authority}");
    fails(load(&origin).await, FetchResult::Url, "does not run in a Kubernetes pod");
}
