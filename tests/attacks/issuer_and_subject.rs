//! The pair: neither half alone, and neither almost.

use serde_json::{Value, json};

use crate::support::call::Call;
use crate::world::{API, NEIGHBOUR, SUBJECT, TENANT, by, get, shorter, world};

#[test]
fn an_issuer_that_is_almost_ours() {
    let world = world();
    let iss = world.own.url();
    let port = iss.rsplit(':').next().unwrap();
    world.control(world.token());
    let mut variants = vec![
        format!("{iss}/"),
        format!("{iss}//"),
        format!("{iss}/."),
        format!("{iss}/x/.."),
        format!("{iss}?"),
        format!("{iss}?a=b"),
        format!("{iss}#"),
        format!("{iss}#x"),
        format!(" {iss}"),
        format!("{iss} "),
        format!("\t{iss}"),
        iss.to_uppercase(),
        iss.replacen("http", "HTTP", 1),
        iss.replacen("http", "https", 1),
        iss.replacen("http://", "", 1),
        iss.replacen("http://", "//", 1),
        iss.replacen("//", "///", 1),
        iss.replacen("//", "//user@", 1),
        iss.replacen("//", "//user:pw@", 1),
        iss.replacen("127.0.0.1", "localhost", 1),
        iss.replacen("127.0.0.1", "127.0.0.1.", 1),
        iss.replacen("127.0.0.1", "127.1", 1),
        iss.replacen("127.0.0.1", "[::ffff:127.0.0.1]", 1),
        iss.replacen("127.0.0.1", "0177.0.0.1", 1),
        iss.replacen("127.0.0.1", "%31%32%37.0.0.1", 1),
        iss.replacen(port, &format!("0{port}"), 1),
        shorter(iss),
        format!("{iss}0"),
        format!("x{iss}"),
        format!("{iss}\0"),
        format!("{iss}\n"),
        format!("{iss}\\"),
        format!("{iss};"),
        format!("{iss},{iss}"),
        format!("{iss} {iss}"),
        iss.replace('1', "\u{ff11}"),
        iss.replace('/', "\u{2215}"),
        format!("{iss}\u{200b}"),
        "{issuer}".to_owned(),
        "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(),
        String::new(),
        "*".to_owned(),
    ];
    variants.dedup();
    for iss in variants {
        world.refuses(world.token().claim("iss", iss.as_str()), "issuer_unknown", format!("{iss:?}"));
    }
    world.refuses(world.token().without("iss"), "issuer_unknown", "absent");
}

#[test]
fn an_issuer_that_is_no_string() {
    let world = world();
    for iss in [
        json!([world.own.url()]),
        json!(["https://evil.test", world.own.url()]),
        json!(1),
        Value::Null,
        json!({"iss": world.own.url()}),
        json!(true),
    ] {
        world.refuses(world.token().claim("iss", iss.clone()), "malformed", iss);
    }
    world.refuses(world.token().claim("iss", "i".repeat(513)), "malformed", "513 bytes");
}

#[test]
fn the_same_sub_from_the_other_issuer() {
    let world = world();
    let there = Call::get(&format!("{NEIGHBOUR}/v1/x"));
    let answer = world.credence.check(&there.bearer(world.other.token(SUBJECT, NEIGHBOUR)));
    assert!(answer.allowed());
    assert_eq!(answer.metadata()["principal"]["iss"], world.other.url());
    world.refuses(world.other.token(SUBJECT, API), "grant_none", "other says what own may say");
}

#[test]
fn a_token_of_one_issuer_in_the_name_of_the_other_with_the_same_kid() {
    let world = world();
    // Both publish `key-ES256`, each its own.
    assert_eq!(world.own.key_for("ES256").kid, world.other.key_for("ES256").kid);
    world.refuses(world.token().signed_by(&world.other.key_for("ES256")), "signature_invalid", "other signs as own");
    let other = world.other.token(SUBJECT, NEIGHBOUR).signed_by(&world.own.key_for("ES256"));
    assert_eq!(
        world.credence.check(&Call::get(&format!("{NEIGHBOUR}/v1/x")).bearer(other)).reason(),
        "signature_invalid"
    );
}

#[test]
fn a_kid_of_another_trusted_issuer_signed_by_it() {
    let world = world();
    let foreign = std::sync::Arc::new(crate::support::key::Key::generate("only-others", "ES256"));
    world.refuses(by(world.token(), &foreign), "key_unknown", "a kid that own does not have");
    let alone = by(world.token(), &world.other.key_for("RS256"));
    world.refuses(alone, "signature_invalid", "others' RSA key under own's kid");
}

#[test]
fn a_subject_that_is_almost_the_granted_one() {
    let world = world();
    for sub in [
        format!("{SUBJECT}x"),
        format!("x{SUBJECT}"),
        shorter(SUBJECT),
        SUBJECT.to_uppercase(),
        format!("{SUBJECT} "),
        format!(" {SUBJECT}"),
        format!("{SUBJECT},admin"),
        SUBJECT.replace('o', "\u{43e}"),
        format!("{SUBJECT}\u{200b}"),
        "system:work\u{65}\u{301}r".to_owned(),
        "*".to_owned(),
        "system:*".to_owned(),
        ".*".to_owned(),
        "system.worker".to_owned(),
        "system:worke?".to_owned(),
        "[a-z:]+".to_owned(),
        "any".to_owned(),
    ] {
        world.refuses(world.token().claim("sub", sub.as_str()), "grant_none", format!("{sub:?}"));
    }
    for sub in ["\r\nx-credence-subject: admin", "a\nb", "a\0b", "a\u{7f}", "a\u{202e}b", "a\u{2028}b", "a\u{85}b"] {
        world.refuses(world.token().claim("sub", sub), "claims_malformed", format!("{sub:?}"));
    }
    world.refuses(world.token().claim("sub", ""), "subject_missing", "empty");
    world.refuses(world.token().without("sub"), "subject_missing", "absent");
    for sub in [json!(1), Value::Null, json!([SUBJECT]), json!({"sub": SUBJECT})] {
        world.refuses(world.token().claim("sub", sub.clone()), "claims_malformed", sub);
    }
}

#[test]
fn a_glob_that_crosses_a_separator() {
    let world = world();
    let parts = |sub: &str| {
        world.credence.check(&Call::get(&format!("{API}/parts")).bearer(world.own.token(sub, API))).reason()
    };
    assert_eq!(parts("part:one:x"), "ok");
    for sub in [
        "part::x",
        "part:a:b:x",
        "part:a/b:x",
        "part:a@b:x",
        "part:..:x",
        "part:.:x",
        "part:a:xx",
        "xpart:a:x",
        "part:a:x:",
        "PART:a:x",
    ] {
        assert_eq!(parts(sub), "grant_none", "{sub}");
    }
}

#[test]
fn a_spiffe_id_that_is_none() {
    let world = world();
    for sub in [
        "spiffe://TD.example/x",
        "SPIFFE://td.example/x",
        "spiffe://td.example/../x",
        "spiffe://td.example//x",
        "spiffe://td.example/x?q",
        "spiffe://td.example:80/x",
        "spiffe://u@td.example/x",
        "spiffe://td.example/%78",
        "spiffe:td.example",
        "spiffe://",
    ] {
        world.refuses(world.token().claim("sub", sub), "claims_malformed", sub);
    }
    world.refuses(
        world.token().claim("sub", "spiffe://td.example/x"),
        "grant_none",
        "a good one is a subject like any other",
    );
}

#[test]
fn a_pinned_claim_of_another_type_value_or_none() {
    let world = world();
    let clean = world.pinned.token(SUBJECT, API).claim("tid", TENANT);
    world.control(clean.clone());
    for tid in [
        json!(4711),
        json!([TENANT]),
        Value::Null,
        json!(""),
        json!(format!("{TENANT}0")),
        json!("t-471"),
        json!("T-4711"),
        json!({"tid": TENANT}),
        json!(true),
    ] {
        world.refuses(clean.clone().claim("tid", tid.clone()), "pin_mismatch", tid);
    }
    world.refuses(clean.without("tid"), "pin_mismatch", "absent");
}

#[test]
fn a_condition_met_by_another_json_type() {
    let world = world();
    let roles = |role: Value, level: Value| {
        let token = world.own.token("someone", API).claim("role", role).claim("level", level);
        world.credence.check(&Call::get(&format!("{API}/roles")).bearer(token)).reason()
    };
    assert_eq!(roles(json!("deployer"), json!(7)), "ok");
    assert_eq!(roles(json!("deployer"), json!(7.0)), "ok");
    for (role, level) in [
        (json!(["deployer"]), json!(7)),
        (json!("deployer"), json!("7")),
        (json!("deployer"), json!([7])),
        (json!("Deployer"), json!(7)),
        (json!("deployer"), json!(true)),
        (json!({"role": "deployer"}), json!(7)),
        (json!("deployer "), json!(7)),
        (Value::Null, json!(7)),
        (json!("deployer"), json!(7.5)),
    ] {
        assert_eq!(roles(role.clone(), level.clone()), "grant_none", "{role} {level}");
    }
}

#[test]
fn a_token_bound_to_a_key_without_its_proof() {
    let world = world();
    for cnf in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!({"jwk": {}}), json!({})] {
        world.refuses(world.token().claim("cnf", cnf.clone()), "confirmation_required", cnf);
    }
    for cnf in [Value::Null, json!("x"), json!([])] {
        world.refuses(world.token().claim("cnf", cnf.clone()), "claims_malformed", cnf);
    }
}

#[test]
fn someone_who_acts_for_the_subject_unasked() {
    let world = world();
    for act in [
        json!({"sub": "agent"}),
        json!({"iss": world.own.url(), "sub": SUBJECT}),
        json!({"sub": "a", "act": {"sub": "b"}}),
    ] {
        world.refuses(world.token().claim("act", act.clone()), "actor_not_allowed", act);
    }
    for act in [json!("agent"), Value::Null, json!({}), json!({"sub": 1}), json!([{"sub": "a"}])] {
        world.refuses(world.token().claim("act", act.clone()), "claims_malformed", act);
    }
    world.control(world.token().claim("may_act", json!({"sub": "agent"})));
}

#[test]
fn six_hundred_calls_of_three_callers_at_once_are_never_mixed_up() {
    let world = world();
    let callers = [
        (world.token().mint(), "ok", Some((world.own.url().to_owned(), SUBJECT))),
        (
            world.pinned.token(SUBJECT, API).claim("tid", TENANT).mint(),
            "ok",
            Some((world.pinned.url().to_owned(), SUBJECT)),
        ),
        (world.other.token(SUBJECT, API).mint(), "grant_none", None),
        (world.token().signed_by(&world.other.key_for("ES256")).mint(), "signature_invalid", None),
    ];
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (world, callers) = (&world, &callers);
            scope.spawn(move || {
                for step in 0..150 {
                    let (token, reason, pair) = &callers[(part + step) % callers.len()];
                    let answer = world.credence.check(&get().bearer(token));
                    assert_eq!(&answer.reason(), reason);
                    if let Some((iss, sub)) = pair {
                        assert_eq!(answer.header("x-credence-issuer").as_deref(), Some(iss.as_str()));
                        assert_eq!(answer.header("x-credence-subject").as_deref(), Some(*sub));
                    }
                }
            });
        }
    });
}
