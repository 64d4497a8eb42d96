//! What is known about kinds of issuers, as data.
//!
//! In: nothing. Out: [`Profile`]s, one file each, and the list of hosts that must not be taken for anything else. A
//! profile never grants: it fills in defaults, refuses what can never be right, and explains.

mod aks;
mod alarm;
mod asked;
mod auth0;
mod bitbucket;
mod buildkite;
mod circleci;
mod claim;
mod cognito;
mod eks;
mod entra;
mod generic;
mod github_actions;
mod github_reach;
mod github_values;
mod gitlab;
mod gke;
mod google;
mod hint;
mod keycloak;
mod known;
mod kubernetes;
mod okta;
mod page;
mod parameters;
mod reach;
mod said;
mod service_account;
mod spiffe;
mod star;
mod terraform;
mod vault;
mod web;

pub use alarm::{Admitted, Alarm};
pub use claim::{ClaimType, Reusable};
pub use hint::{Hint, Sign};
pub use known::{KnownIssuer, known_issuer};
pub use page::Section;
pub use parameters::{Parameter, Parameters};
pub use reach::Reach;

use crate::name::Algorithm;

/// Knowledge about one kind of issuer.
#[derive(Debug)]
pub struct Profile {
    /// What `profile:` says.
    pub name: &'static str,
    /// What people call it who do not know that name; one word can be for several.
    pub aliases: &'static [&'static str],
    /// One line for people.
    pub summary: &'static str,
    /// Where its maker describes its tokens.
    pub documentation: &'static str,
    /// When these facts were last checked.
    pub checked: &'static str,
    /// The forms that its issuers have, for people; one without a word in capitals is exact.
    pub issuers: &'static [&'static str],
    /// Where its keys are, for people.
    pub key_place: &'static str,
    /// A whole table to start from, which loads without a warning.
    pub starter: &'static str,
    /// Which exact issuers an entry stands for.
    pub identity: Identity,
    /// What `with` may say.
    pub parameters: &'static [Parameter],
    /// Judges an `iss`; the error says what its form is.
    pub issuer: fn(&str) -> Result<Tenancy, &'static str>,
    /// Looks at an `iss` that may be right and is doubtful all the same (CR206); the error says why.
    pub doubt: fn(&str) -> Result<(), &'static str>,
    /// Claims whose value follows from the exact `iss`: every token of it must carry them.
    pub implied: fn(&str) -> Vec<(&'static str, String)>,
    /// Judges whether keys can be discovered from an `iss`; the error says why not.
    pub discovery: fn(&str) -> Result<(), &'static str>,
    /// Hosts besides its own that a discovered `jwks_uri` has for this kind of issuer.
    pub key_hosts: &'static [&'static str],
    /// Whether `kubernetes: inCluster` can be where its keys are.
    pub in_cluster: bool,
    /// Claims whose value is a tenant's stable id: an exact pin on one of them satisfies CR101.
    pub tenant_ids: &'static [&'static str],
    /// How to find the value of the first of them.
    pub tenant_hint: &'static str,
    /// `signingAlgs` where the entry names none.
    pub algorithms: &'static [Algorithm],
    /// `tokenTypes` where the entry names none; the empty string is an absent `typ`.
    pub token_types: &'static [&'static str],
    /// `maxTokenAge` where the entry names none, in seconds.
    pub max_token_age: u64,
    /// Claims (a name, or a JSON Pointer) and the JSON type that they have in every token of this kind.
    pub claims: &'static [(&'static str, ClaimType)],
    /// Judges a glob on a claim (`sub` for a grant's `subject`): a star must not stand on a name or a tenant, where
    /// whoever takes a fitting name would be let in. The error says so (CR125).
    pub glob: fn(&str, &str) -> Result<(), &'static str>,
    /// Looks at a pattern for a claim (`sub` for a grant's `subject`) that fits something else than it seems to; `None`
    /// where it fits what it says (CR122 where that is nothing, else CR206).
    pub reach: fn(&str, &str) -> Option<Reach>,
    /// Judges an exact `subject` of a grant; the error says why no token can have it.
    pub subject: fn(&str) -> Result<(), &'static str>,
    /// Judges whether tokens of an `iss` carry a claim that others of this kind may; the error says what to match (CR203).
    pub carries: fn(&str, &str) -> Result<(), &'static str>,
    /// Judges an audience by the `iss` whose tokens are to have it; the error says what theirs looks like (CR206).
    pub audience: fn(&str, &str) -> Result<(), &'static str>,
    /// Whether tokens of an `iss` have an audience unasked, besides [`Profile::default_audiences`] (CR210).
    pub broad: fn(&str, &str) -> bool,
    /// What a value of a claim (`sub` for a grant's `subject`), or a pattern for one, states about other claims: for
    /// contradictions (CR122) alone, where [`Profile::says`] also tells what a subject is made of.
    pub states: fn(&str, &str) -> Vec<(&'static str, String)>,
    /// What an exact `subject`, or a pattern for one, states about other claims, as text: a star in a value stays (CR122,
    /// CR202, CR402).
    pub says: fn(&str) -> Vec<(&'static str, String)>,
    /// Judges an exact value of a claim; the error says why no token has it (CR122).
    pub value: fn(&str, &str) -> Result<(), &'static str>,
    /// Rules of its own (CR206).
    pub hints: &'static [Hint],
    /// Whether `claims` names every claim of these tokens, so that another one is a slip (CR203).
    pub complete: bool,
    /// Beginnings of the names of claims that the issuer's customers make up, never a slip; and the JSON type of all that
    /// begin so, where it is known.
    pub families: &'static [(&'static str, Option<ClaimType>)],
    /// Claims whose value is a name that can pass to someone else (CR201).
    pub reusable: &'static [Reusable],
    /// Claims that must not authorise, because those whom they describe can change them (CR204).
    pub mutable: &'static [&'static str],
    /// Values of claims that mean danger: a token that has one should rather not be what a grant is made from, and a grant
    /// that lets one in is told of (CR206).
    pub alarms: &'static [Alarm],
    /// Audiences that these tokens have where nobody asked for one, so that many services share them (CR210); one that
    /// ends in `*` stands for all that begin so, and `{iss}` for the issuer. Judge by [`Profile::is_default_audience`].
    pub default_audiences: &'static [&'static str],
    /// Claims that say which run of a pipeline it is, of which a grant matches at least one (CR402); empty: no pipelines.
    pub run_claims: &'static [&'static str],
    /// Claims by which a tight grant says who, of those that a token has; `sub` where the subject is one that stays.
    pub identify: &'static [&'static str],
    /// Claims that a tight grant matches besides: how the token came about, where [`Profile::identify`] says whose it is.
    pub besides: &'static [&'static str],
    /// Claims to think of before a grant is made from a token, and why, as the end of a sentence that begins with the value.
    pub consider: &'static [(&'static str, &'static str)],
    /// The forms that `sub` has, for people.
    pub subject_forms: &'static [&'static str],
    /// What goes wrong with these tokens, a sentence each, for people.
    pub dangers: &'static [&'static str],
}

/// A profile that knows nothing: what a file does not name is so.
const UNKNOWING: Profile = Profile {
    name: "",
    aliases: &[],
    summary: "",
    documentation: "",
    checked: "",
    issuers: &[],
    key_place: "by discovery: the `iss`, without one last `/`, and `/.well-known/openid-configuration`",
    starter: "",
    identity: Identity::Written,
    parameters: &[],
    issuer: |_| Ok(Tenancy::Private),
    doubt: |_| Ok(()),
    implied: |_| Vec::new(),
    discovery: |_| Ok(()),
    key_hosts: &[],
    in_cluster: false,
    tenant_ids: &[],
    tenant_hint: "",
    algorithms: &[],
    token_types: &[],
    max_token_age: 0,
    claims: &[],
    glob: |_, _| Ok(()),
    reach: |_, _| None,
    subject: |_| Ok(()),
    carries: |_, _| Ok(()),
    audience: |_, _| Ok(()),
    broad: |_, _| false,
    states: |_, _| Vec::new(),
    says: |_| Vec::new(),
    value: |_, _| Ok(()),
    hints: &[],
    complete: false,
    families: &[],
    reusable: &[],
    mutable: &[],
    alarms: &[],
    default_audiences: &[],
    run_claims: &[],
    identify: &["sub"],
    besides: &[],
    consider: &[],
    subject_forms: &[],
    dangers: &[],
};

/// Claims of OpenID Connect Core §5.1 and its dialects that describe a person, who may change them (§5.7).
const PERSONAL: &[&str] =
    &["email", "name", "nickname", "phone_number", "preferred_username", "unique_name", "upn", "username"];

/// Which exact issuers an entry stands for, and by what its tokens find it.
#[derive(Debug, Clone, Copy)]
pub enum Identity {
    /// The `issuer` of the entry, which must be written.
    Written,
    /// This one, unless the entry writes another.
    Fixed(&'static str),
    /// Those that `with` expands to, unless the entry writes one.
    /// An error where they contradict one another.
    Expanded(fn(&Parameters) -> Result<Vec<String>, &'static str>),
    /// The trust domain of `with`; an `issuer` is what its tokens may carry besides.
    TrustDomain,
}

/// Whether one issuer signs for many customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenancy {
    /// Only for its owner.
    Private,
    /// For every customer of its operator: a tenant must be pinned.
    Shared,
}

impl Profile {
    /// Every profile that is built in.
    pub const ALL: [&'static Self; 19] = [
        &generic::GENERIC,
        &github_actions::GITHUB_ACTIONS,
        &gitlab::GITLAB,
        &kubernetes::KUBERNETES,
        &eks::EKS,
        &gke::GKE,
        &aks::AKS,
        &spiffe::SPIFFE,
        &google::GOOGLE,
        &entra::ENTRA,
        &okta::OKTA,
        &auth0::AUTH0,
        &keycloak::KEYCLOAK,
        &cognito::COGNITO,
        &vault::VAULT,
        &buildkite::BUILDKITE,
        &circleci::CIRCLECI,
        &terraform::TERRAFORM,
        &bitbucket::BITBUCKET,
    ];

    /// The profile with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// The profiles that people mean by a word which is no profile's name, whatever its case, `-` and `_`.
    pub fn also_called(word: &str) -> impl Iterator<Item = &'static Self> {
        let bare = |text: &str| text.replace(['-', '_', '.', ' '], "").to_lowercase();
        let wanted = bare(word);
        Self::ALL.into_iter().filter(move |profile| profile.aliases.iter().any(|alias| bare(alias) == wanted))
    }

    /// What an entry without `profile:` gets.
    pub const fn generic() -> &'static Self {
        &generic::GENERIC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_whole_and_its_own_default_fits_it() {
        for profile in Profile::ALL {
            assert!(!profile.algorithms.is_empty() && !profile.token_types.is_empty(), "{}", profile.name);
            if let Identity::Fixed(issuer) = profile.identity {
                assert!((profile.issuer)(issuer).is_ok(), "{}", profile.name);
            }
            assert!(crate::name::is_name(profile.name), "{}", profile.name);
        }
    }

    #[test]
    fn a_word_that_people_say_leads_to_the_profiles_that_it_may_mean() {
        let meant = |word| Profile::also_called(word).map(|profile| profile.name).collect::<Vec<_>>();
        assert_eq!(meant("K8s"), ["kubernetes"]);
        assert_eq!(meant("azure"), ["aks", "entra"]);
        assert_eq!(meant("azure_AD"), ["entra"]);
        assert_eq!(meant("aws"), ["eks", "cognito"]);
        assert_eq!(meant("eks"), [""; 0]);
        for profile in Profile::ALL {
            assert!(profile.aliases.iter().all(|alias| Profile::find(alias).is_none()), "{}", profile.name);
        }
    }

    #[test]
    fn what_with_expands_to_is_an_issuer_of_the_profile() {
        const TENANT: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
        for (profile, with, issuers) in [
            (
                "eks",
                vec![("region", "eu-west-1"), ("clusterId", "EXAMPLED539D4633E53DE1B71EXAMPLE")],
                ["https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"],
            ),
            (
                "eks",
                vec![("region", "cn-north-1"), ("clusterId", "A1")],
                ["https://oidc.eks.cn-north-1.amazonaws.com.cn/id/A1"],
            ),
            (
                "gke",
                vec![("project", "acme"), ("location", "europe-west1"), ("cluster", "main")],
                ["https://container.googleapis.com/v1/projects/acme/locations/europe-west1/clusters/main"],
            ),
            ("entra", vec![("tenants", TENANT)], [&*format!("https://login.microsoftonline.com/{TENANT}/v2.0")]),
            ("entra", vec![("tenants", TENANT), ("version", "v1")], [&*format!("https://sts.windows.net/{TENANT}/")]),
        ] {
            let profile = Profile::find(profile).unwrap();
            let Identity::Expanded(expand) = profile.identity else { panic!("{} expands nothing", profile.name) };
            let mut parameters = Parameters::default();
            for (name, value) in with {
                let parameter = profile.parameters.iter().find(|parameter| parameter.name == name).unwrap();
                assert_eq!((parameter.form)(value), Ok(()));
                parameters.put(parameter, vec![value.to_owned()]);
            }
            let found = expand(&parameters).unwrap();
            assert_eq!(found, issuers);
            assert!(found.iter().all(|issuer| (profile.issuer)(issuer) == Ok(Tenancy::Private)), "{found:?}");
        }
    }
}
