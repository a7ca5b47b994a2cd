use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// What a server must prove. In every case it proves that it owns the key of the certificate that it shows.
#[derive(Debug)]
pub(super) enum Trust {
    /// Nothing more: the link is encrypted, the other end may be anyone.
    Anybody,
    /// That one of these vouches for its certificate.
    Chain(Vec<CertificateDer<'static>>),
    /// That, and that the certificate names the host.
    ChainAndName(Vec<CertificateDer<'static>>),
}

#[derive(Debug)]
pub(super) struct ServerCheck {
    trust: Trust,
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCheck {
    pub(super) fn new(trust: Trust, algorithms: WebPkiSupportedAlgorithms) -> Self {
        let mut roots = RootCertStore::empty();
        if let Trust::Chain(authorities) | Trust::ChainAndName(authorities) = &trust {
            roots.add_parsable_certificates(authorities.iter().cloned());
        }
        ServerCheck {
            trust,
            roots,
            algorithms,
        }
    }

    fn chain(
        &self,
        shown: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        authorities: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // The server's own certificate as its only authority is what PostgreSQL's manual makes ("Creating Certificates");
        // webpki refuses an authority as a server, so an equal certificate is accepted by itself while it is valid.
        if authorities.iter().any(|authority| authority == shown) {
            return valid_now(shown, now);
        }
        verify_server_cert_signed_by_trust_anchor(parsed, &self.roots, intermediates, now, self.algorithms.all)
    }
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trust {
            Trust::Anybody => {}
            Trust::Chain(authorities) => {
                let parsed = ParsedCertificate::try_from(end_entity)?;
                self.chain(end_entity, &parsed, intermediates, authorities, now)?;
            }
            Trust::ChainAndName(authorities) => {
                let parsed = ParsedCertificate::try_from(end_entity)?;
                self.chain(end_entity, &parsed, intermediates, authorities, now)?;
                verify_server_name(&parsed, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn valid_now(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let bad = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| bad(()))?;
    let seconds = i64::try_from(now.as_secs()).map_err(|_| bad(()))?;
    let time = ASN1Time::from_timestamp(seconds).map_err(|_| bad(()))?;
    let validity = parsed.validity();
    if time < validity.not_before {
        Err(Error::InvalidCertificate(CertificateError::NotValidYet))
    } else if time > validity.not_after {
        Err(Error::InvalidCertificate(CertificateError::Expired))
    } else {
        Ok(())
    }
}
