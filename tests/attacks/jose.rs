//! The JOSE header and the JSON of both parts.

use serde_json::{Value, json};

use crate::support::key::b64;
use crate::world::{API, SUBJECT, by, shorter, world};

#[test]
fn alg_none_in_any_spelling_with_and_without_a_signature() {
    let world = world();
    world.control(world.token());
    for alg in ["none", "None", "NONE", "nOnE", "noNe", "none ", " none", "none\0"] {
        let token = world.token().header("alg", alg);
        for signature in [Vec::new(), vec![0; 64], vec![1]] {
            world.refuses(
                token.mint_with_signature(&signature),
                "alg_not_allowed",
                format!("{alg:?} {}", signature.len()),
            );
        }
    }
}

#[test]
fn alg_that_is_no_string_or_no_algorithm() {
    let world = world();
    for alg in [Value::Null, json!(256), json!(["ES256"]), json!({"alg": "ES256"}), json!(true)] {
        world.refuses(world.token().header("alg", alg.clone()).mint_with_signature(&[1; 64]), "malformed", alg);
    }
    world.refuses(world.token().without_header("alg"), "malformed", "absent");
    for alg in ["es256", "ES256 ", " ES256", "ES256\0", "ES256K", "A128KW", "dir", "", "HS256", "HS384", "HS512"] {
        world.refuses(
            world.token().header("alg", alg).mint_with_signature(&[1; 64]),
            "alg_not_allowed",
            format!("{alg:?}"),
        );
    }
}

#[test]
fn hs256_keyed_with_the_public_key_in_many_encodings() {
    let world = world();
    for alg in ["RS256", "ES256"] {
        let key = world.own.key_for(alg);
        world.control(by(world.token(), &key));
        let der = key.public_der();
        let base64 = {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(&der)
        };
        let lines: String =
            base64.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}-----END PUBLIC KEY-----\n");
        let jwk = key.jwk();
        let secrets: [Vec<u8>; 13] = [
            der,
            pem.clone().into_bytes(),
            pem.trim_end().into(),
            pem.replace('\n', "\r\n").into(),
            base64.into(),
            jwk.to_string().into(),
            key.bare_jwk().to_string().into(),
            world.own.jwks().to_string().into(),
            jwk.get("n").or(jwk.get("x")).unwrap().to_string().into(),
            jwk.get("n").or(jwk.get("x")).unwrap().as_str().unwrap().into(),
            key.kid.clone().into(),
            key.thumbprint().into(),
            Vec::new(),
        ];
        for (index, secret) in secrets.iter().enumerate() {
            let token = world.token().header("kid", key.kid.as_str()).header("alg", "HS256");
            world.refuses(token.mint_hs256(secret), "alg_not_allowed", format!("{alg} encoding {index}"));
            let relabelled = world.token().header("kid", key.kid.as_str()).header("alg", alg);
            world.refuses(
                relabelled.mint_hs256(secret),
                "signature_invalid",
                format!("{alg} encoding {index}, relabelled"),
            );
        }
    }
}

#[test]
fn another_algorithm_with_the_right_key() {
    let world = world();
    let rsa = world.own.key_for("RS256");
    world.control(by(world.token(), &rsa));
    // PS256 is an algorithm of this issuer, but not of this key.
    world.refuses(by(world.token(), &rsa).header("alg", "PS256"), "key_unknown", "PS256 by the RS256 key");
    for alg in ["RS384", "RS512", "PS384", "PS512"] {
        world.refuses(by(world.token(), &rsa).header("alg", alg), "alg_not_allowed", alg);
    }
    let pss = world.own.key_for("PS256");
    world.control(by(world.token(), &pss));
    world.refuses(by(world.token(), &pss).header("alg", "RS256"), "key_unknown", "RS256 by the PS256 key");
    world.refuses(
        world.token().header("alg", "ES384").mint_with_signature(&[1; 96]),
        "key_unknown",
        "ES384 by the ES256 kid",
    );
}

#[test]
fn kid_as_path_query_url_nul_homoglyph_or_number() {
    let world = world();
    for kid in [
        "../../../../dev/null",
        "/etc/passwd",
        "x' UNION SELECT 'k",
        "http://127.0.0.1/jwks",
        "file:///dev/null",
        "key-ES256\0",
        "key-ES256 ",
        "KEY-ES256",
        "key-\u{415}S256",
        "",
        "0",
        "*",
        "%6bey-ES256",
        "key-ES256;x",
        "|id",
        "{{7*7}}",
    ] {
        world.refuses(world.token().header("kid", kid), "key_unknown", format!("{kid:?}"));
    }
    world.refuses(world.token().header("kid", "k".repeat(4096)), "malformed", "4 kB");
    for kid in [json!(1), Value::Null, json!(["key-ES256"]), json!({"kid": "key-ES256"})] {
        world.refuses(world.token().header("kid", kid.clone()), "malformed", kid);
    }
}

#[test]
fn no_kid_where_several_keys_could_be_meant() {
    let world = world();
    // One key of `own` fits each algorithm, so without a kid it is that one.
    world.control(world.token().without_header("kid"));
    let rsa = world.own.key_for("RS256");
    world.refuses(
        world.token().header("kid", rsa.kid.as_str()),
        "key_unknown",
        "the kid of a key for another algorithm",
    );
}

#[test]
fn keys_and_their_addresses_in_the_header() {
    let world = world();
    let evil = crate::support::key::Key::generate("evil", "ES256");
    for (name, value) in [
        ("jwk", evil.jwk()),
        ("jku", json!(world.other.jwks_uri())),
        ("x5u", json!("https://evil.test/c.pem")),
        ("x5c", json!(["MIIB"])),
        ("jku", json!(format!("{}/../jwks", world.own.url()))),
    ] {
        world.refuses(world.token().header(name, value), "malformed", name);
    }
    world.control(world.token().header("x5t", "abc").header("x5t#S256", "abc"));
}

#[test]
fn critical_extensions_and_an_unencoded_payload() {
    let world = world();
    for crit in [
        json!(["exp"]),
        json!([]),
        json!("exp"),
        json!(["b64"]),
        json!(["x", "x"]),
        json!(["absent"]),
        Value::Null,
        json!({}),
    ] {
        world.refuses(world.token().header("crit", crit.clone()).header("x", 1), "malformed", crit);
    }
    for b64 in [json!(false), json!(true)] {
        world.refuses(world.token().header("b64", b64.clone()), "malformed", b64);
    }
}

#[test]
fn compression_nesting_and_encryption() {
    let world = world();
    for (name, value) in [("zip", json!("DEF")), ("cty", json!("JWT")), ("enc", json!("A256GCM"))] {
        world.refuses(world.token().header(name, value), "malformed", name);
    }
    // PBES2 with 2^31 rounds: a JWE has five parts.
    let header = b64(
        json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_147_483_648_u64, "p2s": "AAAA"}).to_string()
    );
    world.refuses(format!("{header}.AAAA.AAAA.AAAA.AAAA"), "malformed", "a JWE");
    world.refuses(format!("{header}.e30.AAAA"), "malformed", "a JWE header on three parts");
}

#[test]
fn other_serialisations_and_polyglots() {
    let world = world();
    let good = world.token().mint();
    let parts: Vec<&str> = good.split('.').collect();
    let flat = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    let general =
        json!({"payload": parts[1], "signatures": [{"protected": parts[0], "signature": parts[2]}]}).to_string();
    world.control(&good);
    for (what, token) in [
        ("flattened JSON", flat.replace(' ', "")),
        ("its base64url", b64(&flat)),
        ("base64url of general JSON", b64(&general)),
        ("an SD-JWT tail", format!("{good}~")),
        ("quoted", format!("\"{good}\"")),
        ("four parts", format!("{good}.{}", parts[2])),
        ("a leading dot", format!(".{good}")),
        ("a doubled dot", good.replacen('.', "..", 1)),
    ] {
        // A comma could part two credentials, so it is refused before anyone looks at the form.
        let reason = if token.contains(',') { "multiple_tokens" } else { "malformed" };
        world.refuses(&token, reason, what);
    }
}

#[test]
fn padding_other_alphabets_blanks_and_loose_trailing_bits() {
    let world = world();
    let good = world.token().mint();
    let (input, signature) = good.rsplit_once('.').unwrap();
    // 64 bytes are 86 characters, the last of which has four bits to spare.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let loose = format!("{input}.{}{next}", signature.strip_suffix(last).unwrap());
    for (what, token) in [
        ("padding", format!("{good}==")),
        ("loose bits", loose),
        ("plus and slash", good.replace('-', "+").replace('_', "/") + "+"),
        ("a blank", format!("{good} ")),
        ("a tab", good.replacen('.', ".\t", 1)),
        ("a newline", format!("{good}\n")),
        ("percent", good.replacen('.', "%2e", 1)),
        ("a NUL", format!("{good}\0")),
        ("one character less", shorter(&good)),
    ] {
        let reason = if what == "one character less" { ["malformed", "signature_invalid"] } else { ["malformed"; 2] };
        let answer = world.ask(&token);
        assert!(!answer.allowed() && reason.contains(&answer.reason().as_str()), "{what}: {}", answer.reason());
    }
}

#[test]
fn repeated_members_also_through_escapes() {
    let world = world();
    let claims = world.token().claims_json().to_string();
    let inner = claims.trim_start_matches('{');
    for (what, text) in [
        ("sub twice, the good one last", format!(r#"{{"sub":"admin",{inner}"#)),
        ("the same value twice", format!(r#"{{"sub":"{SUBJECT}",{inner}"#)),
        ("iss twice", format!(r#"{{"iss":"https://evil.test",{inner}"#)),
        ("through an escape", format!(r#"{{"s\u0075b":"admin",{inner}"#)),
        ("a custom claim twice", format!(r#"{{"role":"a","role":"b",{inner}"#)),
        ("deep inside", format!(r#"{{"x":{{"y":[{{"z":1,"z":2}}]}},{inner}"#)),
    ] {
        world.refuses(world.token().raw_claims(text), "malformed", what);
    }
    let header = r#"{"alg":"none","alg":"ES256","kid":"key-ES256","typ":"JWT"}"#;
    world.refuses(world.token().raw_header(header), "malformed", "alg twice");
    world.refuses(
        world.token().raw_header(r#"{"alg":"ES256","kid":"x","k\u0069d":"key-ES256"}"#),
        "malformed",
        "kid twice",
    );
}

#[test]
fn json_that_is_no_rfc_8259() {
    let world = world();
    let claims = world.token().claims_json().to_string();
    let body = claims.trim_end_matches('}');
    let variants: Vec<(&str, Vec<u8>)> = vec![
        ("a BOM", [b"\xef\xbb\xbf".as_slice(), claims.as_bytes()].concat()),
        ("UTF-16", claims.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("overlong", [claims.replace('}', ",\"x\":\"").as_bytes(), b"\xc0\xaf\"}"].concat()),
        ("a lone surrogate", format!("{body},\"x\":\"\\ud800\"}}").into()),
        ("invalid UTF-8", [body.as_bytes(), b",\"x\":\"\xff\"}"].concat()),
        ("NaN", format!("{body},\"x\":NaN}}").into()),
        ("a comment", format!("{body}/* */}}").into()),
        ("a trailing comma", format!("{body},}}").into()),
        ("trailing data", format!("{claims}x").into()),
        ("two documents", format!("{claims}{claims}").into()),
        ("an array", format!("[{claims}]").into()),
        ("single quotes", claims.replace('"', "'").into()),
        ("empty", Vec::new()),
        ("null", b"null".to_vec()),
    ];
    for (what, bytes) in variants {
        world.refuses(world.token().raw_claims(bytes), "malformed", what);
    }
    world.control(world.token().raw_claims(format!(" \n{claims}\t")));
}

#[test]
fn nesting_until_the_stack_ends() {
    let world = world();
    let claims = world.token().claims_json().to_string();
    let body = claims.trim_end_matches('}');
    world.control(world.token().raw_claims(format!("{body},\"x\":{}{}}}", "[".repeat(15), "]".repeat(15))));
    for depth in [16, 1_000, 5_000] {
        let text = format!("{body},\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        world.refuses(world.token().raw_claims(text), "malformed", depth);
    }
    world.refuses(format!("e30.{}.AAAA", b64("[".repeat(200_000))), "malformed", "200,000 brackets");
    world.control(world.token());
}

#[test]
fn sizes_without_measure() {
    let world = world();
    for (what, token) in [
        ("100,000 dots", ".".repeat(100_000)),
        ("a 64 kB signature", world.token().mint_with_signature(&[0; 65_536])),
        ("a 21,838 byte signature", world.token().mint_with_signature(&[7; 21_838])),
        ("1 MB", world.token().claim("x", "a".repeat(1 << 20)).mint()),
        ("a header of 3 kB", world.token().header("x", "a".repeat(3_000)).mint()),
        ("a jti of 513 bytes", world.token().claim("jti", "j".repeat(513)).mint()),
        ("a sub of 20 kB", world.token().claim("sub", "s".repeat(20_000)).mint()),
        ("a sub of 1,025 bytes", world.token().claim("sub", "s".repeat(1_025)).mint()),
    ] {
        world.refuses(token, "malformed", what);
    }
    world.control(world.token());
}

#[test]
fn claim_names_in_another_case_with_nul_or_proto() {
    let world = world();
    let clean = world.token();
    world.refuses(clean.clone().without("sub").claim("SUB", SUBJECT).claim("Sub", SUBJECT), "subject_missing", "SUB");
    world.refuses(clean.clone().without("aud").claim("AUD", API), "audience_mismatch", "AUD");
    world.refuses(clean.clone().without("sub").claim("sub\0", SUBJECT), "subject_missing", "sub with NUL");
    world.refuses(clean.clone().without("iss").claim("ISS", world.own.url()), "issuer_unknown", "ISS");
    world.control(clean.claim("__proto__", json!({"sub": "admin"})).claim("constructor", 1).claim("SUB", "admin"));
}

#[test]
fn another_kind_of_jwt_than_an_access_token() {
    let world = world();
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        world.control(world.token().header("typ", typ));
    }
    world.control(world.token().without_header("typ"));
    for typ in [
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "kb+jwt",
        "entity-statement+jwt",
        "id_token",
        "",
        "application/",
        "at+jwt ",
        "application/application/at+jwt",
        "text/at+jwt",
        "JOSE",
        "a\u{442}+jwt",
    ] {
        world.refuses(world.token().header("typ", typ), "type_not_allowed", format!("{typ:?}"));
    }
    world.refuses(world.token().claim("events", json!({})), "type_not_allowed", "a security event token");
    for typ in [json!(1), Value::Null, json!(["JWT"])] {
        world.refuses(world.token().header("typ", typ.clone()), "malformed", typ);
    }
}

#[test]
fn an_id_token_where_access_tokens_are_meant() {
    let world = world();
    let token = world.pinned.token(SUBJECT, API).claim("tid", crate::world::TENANT);
    world.control(token.clone());
    world.refuses(token.clone().header("typ", "JWT").claim("nonce", "n"), "type_not_allowed", "typ JWT");
    world.refuses(token.without_header("typ"), "type_not_allowed", "no typ");
}
