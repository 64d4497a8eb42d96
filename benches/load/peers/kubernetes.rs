//! A stand-in for a Kubernetes API server, as small as Authorino lets it be: what kinds there are, the one AuthConfig
//! listed and watched, no Secrets, and whatever is written is taken as written. The same address is an issuer with
//! discovery and key set.

use std::io;

use serde_json::{Value, json};

use crate::support::server::{Received, Server, Stream, reply};

/// Group and version of AuthConfig.
pub(super) const API: &str = "authorino.kuadrant.io/v1beta3";
const GROUP: &str = "authorino.kuadrant.io";

/// Serves the object that is made with the server's own URL, which is also the issuer's.
pub(super) fn start(jwks: Value, make: impl Fn(&str) -> Value + Send + Sync + 'static) -> Server {
    Server::start(None, move |request, stream| {
        let url = format!("http://{}", request.header("host").unwrap_or_default());
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let object = make(&url);
        if request.method != "GET" {
            return written(request, &object, stream);
        }
        let listed = ListOf::at(path, &object);
        if let Some(list) = &listed
            && query.contains("watch=")
        {
            return list.watch(query.contains("sendInitialEvents=true"), stream);
        }
        let found = match path {
            "/.well-known/openid-configuration" => Some(json!({
                "issuer": url, "jwks_uri": format!("{url}/jwks"), "authorization_endpoint": format!("{url}/authorize"),
                "token_endpoint": format!("{url}/token"), "id_token_signing_alg_values_supported": ["ES256", "RS256"],
            })),
            "/jwks" => Some(jwks.clone()),
            _ => listed.map(|list| list.whole()).or_else(|| discovery(path)).or_else(|| named(path, &object)),
        };
        match found {
            Some(found) => send(200, &found, stream),
            None => send(404, &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}), stream),
        }
    })
}

/// Kinds and versions.
fn discovery(path: &str) -> Option<Value> {
    let version = json!({"groupVersion": API, "version": "v1beta3"});
    let group = json!({"name": GROUP, "versions": [version], "preferredVersion": version});
    let of = |name: &str, kind: &str| {
        json!({"name": name, "singularName": "", "namespaced": true, "kind": kind,
            "verbs": ["get", "list", "watch", "update", "patch"]})
    };
    let resources = |version: &str, all: Vec<Value>| json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": all});
    match path.trim_end_matches('/') {
        "/api" => Some(json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]})),
        "/api/v1" => Some(resources("v1", vec![of("secrets", "Secret")])),
        path if path == format!("/apis/{API}") => {
            Some(resources(API, vec![of("authconfigs", "AuthConfig"), of("authconfigs/status", "AuthConfig")]))
        }
        path if path == format!("/apis/{GROUP}") => {
            let mut group = group;
            group.as_object_mut()?.extend([("kind".into(), json!("APIGroup")), ("apiVersion".into(), json!("v1"))]);
            Some(group)
        }
        _ => None,
    }
}

/// The object by its own name.
fn named(path: &str, object: &Value) -> Option<Value> {
    path.contains("/authconfigs/").then(|| object.clone())
}

/// A collection.
struct ListOf {
    version: &'static str,
    kind: &'static str,
    items: Vec<Value>,
}

impl ListOf {
    fn at(path: &str, object: &Value) -> Option<Self> {
        match path.rsplit('/').next() {
            Some("secrets") => Some(Self { version: "v1", kind: "Secret", items: Vec::new() }),
            Some("authconfigs") => Some(Self { version: API, kind: "AuthConfig", items: vec![object.clone()] }),
            _ => None,
        }
    }

    fn whole(&self) -> Value {
        let kind = format!("{}List", self.kind);
        json!({"kind": kind, "apiVersion": self.version, "metadata": {"resourceVersion": "1"}, "items": self.items})
    }

    /// Tells what there is, if that is asked for, and then nothing until the other side has had enough.
    fn watch(&self, tell: bool, stream: &mut dyn Stream) -> io::Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")?;
        if tell {
            let end = json!({"kind": self.kind, "apiVersion": self.version, "metadata": {
                "resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}});
            let added = self.items.iter().map(|item| json!({"type": "ADDED", "object": item}));
            for event in added.chain([json!({"type": "BOOKMARK", "object": end})]) {
                let line = format!("{event}\n");
                write!(stream, "{:x}\r\n{line}\r\n", line.len())?;
            }
        }
        stream.flush()?;
        // Nothing more is sent by the other side: this ends when it hangs up.
        stream.read_exact(&mut [0])?;
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// An update of the whole is given back; a patch changes nothing that matters here.
fn written(request: &Received, object: &Value, stream: &mut dyn Stream) -> io::Result<()> {
    let updated = if request.method == "PATCH" { None } else { serde_json::from_slice(&request.body).ok() };
    send(200, &updated.unwrap_or_else(|| object.clone()), stream)
}

fn send(status: u16, body: &Value, stream: &mut dyn Stream) -> io::Result<()> {
    reply(stream, status, &[("content-type", "application/json")], body.to_string().as_bytes())
}
