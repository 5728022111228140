//! Encrypted connections to PostgreSQL: the coordinator, the workers, and the requests that stop a statement.

use crate::config::Encryption;
use crate::error::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The driver's word, and what speaks TLS for it.
#[derive(Clone)]
pub struct Tls {
    pub mode: SslMode,
    pub connect: MakeRustlsConnect,
}

impl Tls {
    pub fn new(encryption: &Encryption) -> Result<Tls> {
        let mode = match encryption {
            Encryption::Off => SslMode::Disable,
            Encryption::Preferred => SslMode::Prefer,
            Encryption::Required | Encryption::Verified { .. } => SslMode::Require,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(Error::internal)?;
        let config = match encryption {
            Encryption::Verified { root } => builder.with_root_certificates(roots(root.as_deref())?),
            // As libpq does: `require` keeps out whoever listens, and nobody who takes the server's place.
            Encryption::Off | Encryption::Preferred | Encryption::Required => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody { provider }))
            }
        };
        Ok(Tls { mode, connect: MakeRustlsConnect::new(config.with_no_client_auth()) })
    }
}

/// The authorities of a file, or those that the machine trusts.
fn roots(file: Option<&Path>) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            let message = "This machine has no certificate authorities that could be trusted. Name a file: \
                sslrootcert in BRASA_DATABASE_URL.";
            return Err(Error::invalid(message));
        }
        return Ok(store);
    };
    let refused = |cause: &dyn std::fmt::Display| {
        let file = file.display();
        Error::invalid(format!("The sslrootcert {file} of BRASA_DATABASE_URL cannot be read as certificates (PEM)."))
            .caused_by(cause)
    };
    for certificate in CertificateDer::pem_file_iter(file).map_err(|fault| refused(&fault))? {
        store.add(certificate.map_err(|fault| refused(&fault))?).map_err(|fault| refused(&fault))?;
    }
    if store.is_empty() { Err(refused(&"it has no certificate")) } else { Ok(store) }
}

/// Takes whatever certificate a server shows, if only the server has its key.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

type Checked<T> = std::result::Result<T, rustls::Error>;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Checked<ServerCertVerified> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Checked<HandshakeSignatureValid> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Checked<HandshakeSignatureValid> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
