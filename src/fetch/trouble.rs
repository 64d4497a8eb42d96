//! What is said about an exchange that brought nothing: what was seen, and what to do about it.

use std::error::Error;
use std::io::ErrorKind;

use reqwest::header::{CONTENT_ENCODING, LOCATION};
use reqwest::{Response, StatusCode};
use rustls::{AlertDescription, CertificateError};

use super::address::RefusedAddress;
use super::error::{FetchError, quoted};
use super::url::KeyUrl;
use super::workload::WrongWorkload;
use crate::keys::FetchResult;

/// How an exchange was made, as far as advice depends on it. It holds no secret.
#[derive(Debug, Default)]
pub(super) struct Manner {
    /// The file whose authorities alone are believed, with the name of its field.
    pub(super) ca_file: Option<String>,
    /// Whether a bearer token was sent.
    pub(super) sends_token: bool,
    /// Whether a client certificate was there to be shown.
    pub(super) shows_certificate: bool,
    /// Host and port of the proxy that may have been asked, and where it is written.
    pub(super) proxy: Option<String>,
}

/// Status and headers must be those of a plain 200 answer.
pub(super) fn check_head(url: &KeyUrl, response: &Response, manner: &Manner) -> Result<(), FetchError> {
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED {
        return Err(FetchError::new(FetchResult::Status, url, "answered 304 (not modified), which was not asked for"));
    }
    if status.is_redirection() {
        let target =
            response.headers().get(LOCATION).map(|location| quoted(&String::from_utf8_lossy(location.as_bytes())));
        let what = match target {
            Some(target) => format!("answered {} to {target}; redirects are not followed", status.as_u16()),
            None => format!("answered {}; redirects are not followed", status.as_u16()),
        };
        return Err(FetchError::new(FetchResult::Redirect, url, format!("{what}: write the final URL in the table")));
    }
    if status != StatusCode::OK {
        let hint = match (status, manner.sends_token) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, true) => {
                ": it wants another credential (bearerTokenFile)"
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, false) => ": it wants a credential (bearerTokenFile)",
            _ => "",
        };
        return Err(FetchError::new(FetchResult::Status, url, format!("answered {}, not 200{hint}", status.as_u16())));
    }
    let encoded = response.headers().get_all(CONTENT_ENCODING).iter().find(|value| *value != "identity");
    if let Some(encoding) = encoded {
        let encoding = quoted(&String::from_utf8_lossy(encoding.as_bytes()));
        let what = format!("answered with content-encoding {encoding}, which was not asked for");
        return Err(FetchError::new(FetchResult::ContentEncoding, url, what));
    }
    Ok(())
}

/// Says how an exchange broke, by the innermost cause.
pub(super) fn broken(url: &KeyUrl, error: &reqwest::Error, manner: &Manner) -> FetchError {
    let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |error| cause(*error));
    if let Some(RefusedAddress(address)) = causes().find_map(|cause| cause.downcast_ref()) {
        let what = format!("its name leads to {address}, and keys are never fetched from there");
        return FetchError::new(FetchResult::RefusedAddress, url, what);
    }
    // The error of the tunnel has no public type; its words are looked at, and a test holds them.
    let tunnel = causes().any(|cause| cause.to_string().starts_with("tunnel error: "));
    // A failed handshake surfaces as an I/O error of one of these kinds; a failed connect never does.
    let handshake = causes()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| matches!(cause.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof));
    let tls = causes().find_map(|cause| cause.downcast_ref::<rustls::Error>());
    // In TLS 1.3 a server judges the client's certificate when the client believes the handshake is over.
    let alert = matches!(tls, Some(rustls::Error::AlertReceived(_)));
    let proxy = manner.proxy.as_ref().filter(|_| tunnel);
    let (result, head) = match error {
        _ if tunnel => (FetchResult::Proxy, "the HTTP proxy opens no tunnel"),
        _ if error.is_dns() => (FetchResult::Dns, "the name does not resolve"),
        _ if alert || error.is_connect() && handshake => (FetchResult::Tls, "no trusted TLS connection"),
        _ if error.is_connect() => (FetchResult::Connect, "no connection"),
        _ => (FetchResult::Connect, "the connection broke"),
    };
    let head = proxy.map_or_else(|| head.to_owned(), |proxy| format!("the HTTP proxy {proxy} opens no tunnel"));
    let cause = causes().last().map(|cause| quoted(&cause.to_string())).unwrap_or_default();
    let is_workload = causes().any(|cause| cause.is::<WrongWorkload>());
    let remedy = tls.filter(|_| result == FetchResult::Tls && !is_workload).map(|tls| remedy(tls, manner));
    let (cause, remedy) = (cause.trim_matches('"'), remedy.unwrap_or_default());
    FetchError::new(result, url, format!("{head} ({cause}){remedy}"))
}

/// What to do about a failed handshake.
fn remedy(error: &rustls::Error, manner: &Manner) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => of_certificate(why, manner),
        rustls::Error::AlertReceived(alert) => of_alert(*alert, manner.shows_certificate).to_owned(),
        rustls::Error::InvalidMessage(_) => "; does it speak TLS at this port?".to_owned(),
        _ => String::new(),
    }
}

/// What to do about the server's certificate.
fn of_certificate(why: &CertificateError, manner: &Manner) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "; its owner has to renew the certificate, unless the clock of this machine is wrong".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "; is the clock of this machine wrong?".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.iter().any(|name| is_spiffe(name)) => {
            "; it has a SPIFFE ID: if this is the bundle endpoint of a trust domain, say which ID it must prove with \
             spiffeEndpointId beside caFile (issuer probe: --spiffe-endpoint-id beside --ca-file)"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "; ask by a name that the certificate holds, or have this name put into it".to_owned()
        }
        _ => match &manner.ca_file {
            Some(file) => format!("; its certificate is signed by none of the authorities in {file}"),
            None => "; if a private authority signed its certificate, name that in caFile".to_owned(),
        },
    }
}

/// What a server says that ends a handshake, or the connection after it, is mostly about who asks.
const fn of_alert(alert: AlertDescription, shows_certificate: bool) -> &'static str {
    match (alert, shows_certificate) {
        (AlertDescription::CertificateRequired, _) => {
            "; it wants a client certificate: clientCertFile and clientKeyFile (issuer probe: --client-cert-file and \
             --client-key-file)"
        }
        (_, true) => "; does it know the authority that signed the client certificate (clientCertFile)?",
        (_, false) => "; if it wants a client certificate: clientCertFile and clientKeyFile",
    }
}

/// Whether one of the names of a certificate, as the verifier tells them, is a SPIFFE ID.
fn is_spiffe(presented: &str) -> bool {
    presented.starts_with("UniformResourceIdentifier(\"spiffe://")
}

/// What lies under an error. An I/O error hides the one that it carries from `source`, and so does one of TLS.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref() {
        return WrongWorkload::under(error).map(|wrong| wrong as &(dyn Error + 'static));
    }
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}
