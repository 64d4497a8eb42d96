//! Fetches through an HTTP proxy.

use tempfile::TempDir;

use super::super::testing::{Authority, Proxy, Server, ok};
use super::*;

/// An issuer behind a private authority.
struct World {
    server: Server,
    origin: KeyOrigin,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
        let server = Server::start_tls(&authority.sign(&["idp.test", "far.test", "localhost"])).await;
        server.set("/keys", ok(&keys("k")));
        let mut origin = jwks(format!("https://idp.test:{}/keys", server.port()));
        origin.access.ca_file = Some(file(&folder, "ca.pem", authority.pem()));
        Self { server, origin, _folder: folder }
    }

    fn at(&self, host: &str) -> KeyOrigin {
        let source = KeySource::Url { url: format!("https://{host}:{}/keys", self.server.port()) };
        KeyOrigin { source, ..self.origin.clone() }
    }
}

fn environment(proxy: &str, except: &str) -> Surroundings {
    Surroundings::from_variables(|name| match name {
        "HTTPS_PROXY" => Some(proxy.to_owned()),
        "NO_PROXY" => Some(except.to_owned()),
        _ => None,
    })
}

#[tokio::test]
async fn the_environment_names_a_proxy_and_its_exceptions() {
    let (world, proxy) = (World::start().await, Proxy::start().await);
    // The proxy looks the name up: we could not.
    load_within(environment(&proxy.place(), ""), &world.at("far.test")).await.unwrap();
    let [head] = &proxy.heads()[..] else { panic!("one tunnel") };
    assert!(head.starts_with(&format!("CONNECT far.test:{} ", world.server.port())), "{head}");
    for except in ["idp.test", ".test", "other.example, idp.test", "*"] {
        load_within(environment(&proxy.place(), except), &world.origin).await.unwrap();
    }
    assert_eq!(proxy.heads().len(), 1);
}

#[tokio::test]
async fn the_proxy_of_the_table_goes_before_that_of_the_environment() {
    let (world, ours, other) = (World::start().await, Proxy::start().await, Proxy::start().await);
    let mut origin = world.at("far.test");
    origin.access.proxy = Some(format!("http://{}", ours.place()));
    load_within(environment(&other.place(), "*"), &origin).await.unwrap();
    assert_eq!((ours.heads().len(), other.heads().len()), (1, 0));
}

#[tokio::test]
async fn this_machine_is_never_asked_through_a_proxy() {
    let (world, proxy, plain) = (World::start().await, Proxy::start().await, Server::start().await);
    plain.set("/keys", ok(&keys("k")));
    let names = names(&[("localhost", &["127.0.0.1"])]);
    let loader = Loader::new(names, Timing::default()).within(environment(&proxy.place(), ""));
    for mut origin in [world.at("localhost"), jwks(plain.url("/keys"))] {
        loader.load(&origin, Errand::Round, &mut Memory::default()).await.unwrap();
        origin.access.proxy = Some(proxy.place());
        loader.load(&origin, Errand::Round, &mut Memory::default()).await.unwrap();
    }
    assert!(proxy.heads().is_empty());
}

#[tokio::test]
async fn a_refused_address_stays_refused_behind_a_proxy() {
    let proxy = Proxy::start().await;
    for url in ["https://169.254.169.254/keys", "https://[fe80::1]/keys", "http://metadata.test/keys"] {
        assert!(load_within(environment(&proxy.place(), ""), &jwks(url.to_owned())).await.is_err(), "{url}");
    }
    assert!(proxy.heads().is_empty());
}

#[tokio::test]
async fn the_proxy_sees_neither_the_path_nor_the_token() {
    let (world, proxy, vault) = (World::start().await, Proxy::start().await, TempDir::new().unwrap());
    let mut origin = world.at("far.test");
    origin.access.bearer_token_file = Some(file(&vault, "token", "hunter2"));
    let surroundings = Surroundings { secrets_dir: Some(vault.path().to_owned()), ..environment(&proxy.place(), "") };
    load_within(surroundings, &origin).await.unwrap();
    assert_eq!(sent(&world.server, "authorization"), ["Bearer hunter2"]);
    let heads = proxy.heads().join("");
    assert!(!heads.contains("hunter2") && !heads.contains("/keys"), "{heads}");
}

#[tokio::test]
async fn a_proxy_gets_its_own_password_and_messages_do_not() {
    let (world, refusing) = (World::start().await, Proxy::answering("407 Proxy Authentication Required").await);
    let secret = format!("http://user:hunter2@{}", refusing.place());
    let error = load_within(environment(&secret, ""), &world.at("far.test")).await.unwrap_err();
    assert!(refusing.heads()[0].to_ascii_lowercase().contains("proxy-authorization: basic "));
    assert_eq!(error.result(), FetchResult::Proxy, "{error}");
    let named = format!("the HTTP proxy {} (HTTPS_PROXY) opens no tunnel", refusing.place());
    assert!(error.to_string().contains("authorization required"), "{error}");
    assert!(error.to_string().contains(&named), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_proxy_in_trouble_is_told_from_an_issuer_in_trouble() {
    let (world, refusing) = (World::start().await, Proxy::answering("403 Forbidden").await);
    let outcome = load_within(environment(&refusing.place(), ""), &world.at("far.test")).await;
    fails(outcome, FetchResult::Proxy, "opens no tunnel");
    let mut origin = world.at("far.test");
    origin.access.proxy = Some(format!("http://{}", refusing.place()));
    let named = format!("the HTTP proxy {} (proxy) opens no tunnel", refusing.place());
    fails(load_within(environment("", ""), &origin).await, FetchResult::Proxy, &named);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = load_within(environment(&nobody.to_string(), ""), &world.at("far.test")).await;
    fails(outcome, FetchResult::Proxy, "refused");
    let outcome = load_within(environment("nowhere.test:1", ""), &world.at("far.test")).await;
    fails(outcome, FetchResult::Proxy, "no such name");
    let outcome = load_within(environment("socks5://127.0.0.1:1", ""), &world.at("far.test")).await;
    fails(outcome, FetchResult::Url, "HTTPS_PROXY");
    assert_eq!(world.server.connections(), 0);
}

#[tokio::test]
async fn behind_a_proxy_the_certificate_must_be_of_the_issuer() {
    let (world, proxy) = (World::start().await, Proxy::start().await);
    let outcome = load_within(environment(&proxy.place(), ""), &world.at("other.test")).await;
    fails(outcome, FetchResult::Tls, "other.test");
}
