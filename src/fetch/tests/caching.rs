//! What is asked for again, and how.

use super::super::testing::{Answer, Server, answer, ok};
use super::*;

/// One source that is fetched again and again.
struct Source {
    loader: Loader,
    memory: Memory,
    origin: KeyOrigin,
}

impl Source {
    fn of(origin: KeyOrigin) -> Self {
        Self { loader: loader(Surroundings::default()), memory: Memory::default(), origin }
    }

    async fn load(&mut self, errand: Errand) -> Result<Option<Arc<KeySet>>, FetchError> {
        Ok(self.loader.load(&self.origin, errand, &mut self.memory).await?.set)
    }

    async fn round(&mut self) -> Option<Arc<KeySet>> {
        self.load(Errand::Round).await.unwrap()
    }
}

#[tokio::test]
async fn an_unchanged_document_is_not_sent_again_and_a_changed_one_is() {
    let server = Server::start().await;
    server.set("/keys", Answer::Tagged("\"one\"", keys("one")));
    let mut source = Source::of(jwks(server.url("/keys")));
    assert!(source.round().await.is_some());
    let loaded = source.loader.load(&source.origin, Errand::Round, &mut source.memory).await.unwrap();
    assert!(loaded.set.is_none());
    assert_eq!(loaded.keep, Some(Duration::from_secs(77)));
    server.set("/keys", Answer::Tagged("\"two\"", keys("two")));
    assert_eq!(source.round().await.unwrap().keys()[0].kid().unwrap().as_str(), "two");
    assert!(source.round().await.is_none());
    assert_eq!(sent(&server, "if-none-match"), ["\"one\"", "\"one\"", "\"two\""]);
}

#[tokio::test]
async fn a_document_that_was_bad_leaves_no_validator() {
    let server = Server::start().await;
    server.set("/keys", Answer::Tagged("\"bad\"", r#"{"keys":[]}"#.to_owned()));
    let mut source = Source::of(jwks(server.url("/keys")));
    for _ in 0..2 {
        assert_eq!(source.load(Errand::Round).await.unwrap_err().result(), FetchResult::NoUsableKeys);
    }
    assert!(sent(&server, "if-none-match").is_empty());
    server.set("/keys", Answer::Tagged("\"good\"", keys("k")));
    source.round().await;
    server.set("/keys", Answer::Tagged("\"bad\"", r#"{"keys":[]}"#.to_owned()));
    assert!(source.load(Errand::Round).await.is_err());
    assert!(source.load(Errand::Round).await.is_err(), "the bad document must not come to count as known");
    server.set("/keys", Answer::Tagged("\"good\"", keys("k")));
    assert!(source.round().await.is_none(), "the good one still does");
}

#[tokio::test]
async fn a_304_that_was_not_asked_for_is_an_error() {
    let server = Server::start().await;
    server.set("/keys", answer("304 Not Modified", "etag: \"x\"\r\n", ""));
    fails(load(&jwks(server.url("/keys"))).await, FetchResult::Status, "not asked for");
    server.set("/d", answer("304 Not Modified", "", ""));
    fails(load(&discovery(&server.url(""), server.url("/d"), &[])).await, FetchResult::Status, "not asked for");
}

#[tokio::test]
async fn without_a_tag_the_date_is_asked_with() {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let server = Server::start().await;
    server.set("/keys", answer("200 OK", &format!("last-modified: {DATE}\r\n"), &keys("k")));
    let mut source = Source::of(jwks(server.url("/keys")));
    source.round().await;
    server.set("/keys", answer("304 Not Modified", "", ""));
    assert!(source.round().await.is_none());
    assert_eq!(sent(&server, "if-modified-since"), [DATE]);
}

#[tokio::test]
async fn an_endless_tag_is_not_kept() {
    let server = Server::start().await;
    server.set("/keys", answer("200 OK", &format!("etag: \"{}\"\r\n", "x".repeat(10_000)), &keys("k")));
    let mut source = Source::of(jwks(server.url("/keys")));
    source.round().await;
    assert!(source.round().await.is_some());
    assert!(sent(&server, "if-none-match").is_empty());
}

#[tokio::test]
async fn a_tag_is_shown_only_to_the_url_that_it_is_of() {
    let server = Server::start().await;
    let issuer = server.url("");
    for path in ["/one", "/two"] {
        server.set(path, Answer::Tagged("\"same\"", keys("k")));
        server.set("/d", ok(&discovery_document(&issuer, &server.url(path))));
    }
    server.set("/d", ok(&discovery_document(&issuer, &server.url("/one"))));
    let mut source = Source::of(discovery(&issuer, server.url("/d"), &[]));
    source.round().await;
    server.set("/d", ok(&discovery_document(&issuer, &server.url("/two"))));
    assert!(source.round().await.is_some());
    assert!(sent(&server, "if-none-match").is_empty());
}

#[tokio::test]
async fn for_an_unknown_key_only_the_key_set_is_asked_for() {
    let server = Server::start().await;
    let issuer = server.url("");
    server.set("/d", ok(&discovery_document(&issuer, &server.url("/keys"))));
    server.set("/keys", answer("500 Oops", "", ""));
    let mut source = Source::of(discovery(&issuer, server.url("/d"), &[]));
    assert!(source.load(Errand::Keys).await.is_err());
    server.set("/keys", ok(&keys("k")));
    source.load(Errand::Keys).await.unwrap();
    source.load(Errand::Keys).await.unwrap();
    let paths: Vec<String> = server.heads().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(paths, ["/d", "/keys", "/d", "/keys", "/keys"]);
}

#[tokio::test]
async fn the_sender_says_how_long_its_keys_may_be_kept() {
    let server = Server::start().await;
    server.set("/keys", answer("200 OK", "cache-control: max-age=600\r\nage: 100\r\n", &keys("k")));
    let loaded = loader(Surroundings::default())
        .load(&jwks(server.url("/keys")), Errand::Round, &mut Memory::default())
        .await
        .unwrap();
    assert_eq!(loaded.keep, Some(Duration::from_secs(500)));
}

#[tokio::test]
async fn three_hundred_hanging_sources_hold_nobody_up_once_they_are_known() {
    let (slow, fast) = (Server::start().await, Server::start().await);
    slow.set("/keys", Answer::Hang);
    fast.set("/keys", ok(&keys("k")));
    // None of the hanging ones gives its place back while the test runs.
    let endless = Timing { exchange: Duration::from_secs(3600), ..Timing::default() };
    let loader = Arc::new(Loader::new(Arc::new(System), endless));
    let hanging = jwks(slow.url("/keys"));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let (loader, origin) = (loader.clone(), hanging.clone());
        tasks.spawn(async move {
            let mut memory = Memory::default();
            memory.was_late = true;
            loader.load(&origin, Errand::Round, &mut memory).await.is_ok()
        });
    }
    while slow.connections() < 32 {
        tokio::task::yield_now().await;
    }
    let (healthy, mut memory) = (jwks(fast.url("/keys")), Memory::default());
    let loaded = tokio::time::timeout(Duration::from_secs(30), loader.load(&healthy, Errand::Round, &mut memory)).await;
    assert!(loaded.expect("it should not wait for those that hang").is_ok());
    assert_eq!(slow.connections(), 32, "those that were late wait for each other");
}

#[tokio::test]
async fn a_source_that_was_late_is_remembered_as_such_until_it_answers() {
    let server = Server::start().await;
    server.set("/keys", Answer::Hang);
    let hasty = Timing { exchange: Duration::from_millis(50), ..Timing::default() };
    let (loader, mut memory) = (Loader::new(Arc::new(System), hasty), Memory::default());
    let origin = jwks(server.url("/keys"));
    assert!(loader.load(&origin, Errand::Round, &mut memory).await.is_err());
    assert!(memory.was_late);
    server.set("/keys", answer("500 Oops", "", ""));
    assert!(loader.load(&origin, Errand::Round, &mut memory).await.is_err());
    assert!(!memory.was_late);
}
