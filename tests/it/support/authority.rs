//! A certificate authority of a test's own, and a server's certificate that it signed.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::PathBuf;

/// Files in a folder that goes with it.
pub struct Authority {
    /// Of the authority itself.
    pub root: PathBuf,
    /// Of a server that is called `localhost` and 127.0.0.1.
    pub certificate: PathBuf,
    pub key: PathBuf,
    _folder: tempfile::TempDir,
}

impl Authority {
    pub fn make() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "The test's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let certificate = params.signed_by(&key, &root).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, pem: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, pem).unwrap();
            path
        };
        Authority {
            root: write("root.pem", root.pem()),
            certificate: write("server.pem", certificate.pem()),
            key: write("server.key", key.serialize_pem()),
            _folder: folder,
        }
    }
}
