//! What the server says of its log-in and consent. <https://hl7.org/fhir/smart-app-launch/conformance.html>

use super::address::Addresses;
use super::assertion::ALGORITHMS;
use super::wish::WORDS;
use serde_json::{Value, json};

/// What of SMART there is.
pub const CAPABILITIES: &[&str] = &[
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-ehr-patient",
    "context-standalone-patient",
    "permission-patient",
    "permission-user",
    "permission-offline",
    "permission-online",
    "permission-v1",
    "permission-v2",
];

/// The document, which has what OpenID Connect's discovery asks for, too.
pub fn document(addresses: &Addresses) -> Value {
    let resources = ["patient/*.cruds", "user/*.cruds", "system/*.cruds", "patient/*.*", "user/*.*", "system/*.*"];
    let scopes: Vec<&str> = WORDS.iter().copied().chain(resources).collect();
    let ways = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
    let known: Vec<&str> = ways.iter().copied().filter(|way| *way != "none").collect();
    json!({
        "issuer": addresses.base(),
        "jwks_uri": addresses.at(".well-known/jwks.json"),
        "authorization_endpoint": addresses.at("auth/authorize"),
        "token_endpoint": addresses.token(),
        "introspection_endpoint": addresses.at("auth/introspect"),
        "revocation_endpoint": addresses.at("auth/revoke"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ways,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": known,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": ways,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "fhirUser"],
        "capabilities": CAPABILITIES,
    })
}
