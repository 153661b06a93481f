//! Whom TLS trusts: the certificates in the program, so that logship needs no file of the system, or those that the user names.

use std::path::Path;

use logyard::cli::{Shown, cause};
use object_store::{Certificate, ClientOptions};

use crate::object::errno;

/// Options with the certificates, and nothing from the system.
pub(super) fn trusted(options: ClientOptions, ca: Option<&Path>) -> Result<ClientOptions, String> {
    // The library looks for the provider of cryptography in the process; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificates = match ca {
        Some(path) => {
            let shown = Shown(path.as_os_str().as_encoded_bytes()).to_string();
            let pem =
                std::fs::read(path).map_err(|error| format!("unable to read {shown}: {}", cause(errno(&error))))?;
            let bundle =
                Certificate::from_pem_bundle(&pem).map_err(|_| format!("unable to read {shown}: bad format"))?;
            if bundle.is_empty() {
                return Err(format!("unable to read {shown}: no certificate in it"));
            }
            bundle
        }
        None => {
            let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
            roots.filter_map(|root| Certificate::from_der(root).ok()).collect()
        }
    };
    let options = options.with_no_system_certificates(true);
    Ok(certificates.into_iter().fold(options, ClientOptions::with_root_certificate))
}
