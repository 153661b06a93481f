//! A service as a store: S3, Google Cloud Storage, Azure.
//!
//! One object is one plain PUT with a condition: uploads in parts have no conditional form that all services know. The library
//! retries nothing; `patience` does.

use std::fs;
use std::io::{Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use logyard::sys::mapped_file::MappedFile;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ClientConfigKey, ClientOptions, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, RetryConfig,
};

use super::{Access, Created, Listed, StoreError, certificates, no_facts};
use crate::facts::Facts;
use crate::object::Object;

/// How much of an object is handed to the connection at once.
const CHUNK_BYTES: usize = 1 << 16;
/// A connection must be made within this time.
const CONNECT_SECONDS: u64 = 10;
/// A request may take this long, and a second more for each so many bytes.
const REQUEST_SECONDS: u64 = 60;
const SLOWEST_BYTES_PER_SECOND: u64 = 100_000;

/// A service as a store.
#[derive(Debug)]
pub(crate) struct RemoteStore {
    service: Arc<dyn ObjectStore>,
    /// What stands before every key.
    prefix: String,
}

impl RemoteStore {
    pub(super) fn new(url: &str, access: &Access) -> Result<RemoteStore, String> {
        let unable = |cause: &dyn std::fmt::Display| format!("unable to use store {url}: {cause}");
        let (scheme, rest) = url.split_once("://").ok_or_else(|| unable(&"no URL such as s3://bucket/prefix"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(unable(&"no bucket is named"));
        }
        let allows_http = access.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"))
            || std::env::var("AWS_ENDPOINT_URL").is_ok_and(|endpoint| endpoint.starts_with("http://"));
        let options = ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(CONNECT_SECONDS))
            .with_timeout_disabled()
            .with_allow_http(allows_http)
            // To shuffle addresses, the library needs random numbers, and for these a static program needs /dev/urandom, which an
            // empty root does not have. Name servers shuffle them anyway.
            .with_config(ClientConfigKey::RandomizeAddresses, "false");
        let options = certificates::trusted(options, access.ca.as_deref())?;
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let service: Result<Arc<dyn ObjectStore>, Error> = match scheme {
            "s3" => {
                let mut builder = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket);
                if let Some(endpoint) = &access.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                // A removal in bulk needs another permission, and some services do not know it.
                let builder = builder.with_client_options(options).with_retry(retry).with_disable_bulk_delete(true);
                builder.build().map(|service| Arc::new(service) as _)
            }
            "gs" => object_store::gcp::GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .with_client_options(options)
                .with_retry(retry)
                .build()
                .map(|service| Arc::new(service) as _),
            "az" => object_store::azure::MicrosoftAzureBuilder::from_env()
                .with_container_name(bucket)
                .with_client_options(options)
                .with_retry(retry)
                .build()
                .map(|service| Arc::new(service) as _),
            _ => return Err(unable(&"stores are s3://, gs://, az:// and file:///")),
        };
        let service = service.map_err(|error| unable(&one_line(&error)))?;
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(RemoteStore { service, prefix })
    }

    pub(super) async fn create(&self, key: &str, object: Object) -> Result<Created, StoreError> {
        let mut attributes = Attributes::new();
        for (name, value) in object.facts.to_metadata() {
            attributes.insert(Attribute::Metadata(name.into()), value.into());
        }
        let bytes = object.bytes;
        let mapped = MappedFile::of_nameless(object.file)
            .map_err(|errno| StoreError::Refused(format!("unable to map an object: {}", logyard::cli::cause(errno))))?;
        let whole = Bytes::from_owner(mapped);
        let starts = (0..whole.len()).step_by(CHUNK_BYTES);
        let payload: PutPayload =
            starts.map(|start| whole.slice(start..whole.len().min(start + CHUNK_BYTES))).collect();
        self.put(key, payload, attributes, bytes).await
    }

    pub(super) async fn create_note(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        let length = bytes.len() as u64;
        self.put(key, PutPayload::from(bytes), Attributes::new(), length).await
    }

    async fn put(
        &self,
        key: &str,
        payload: PutPayload,
        attributes: Attributes,
        bytes: u64,
    ) -> Result<Created, StoreError> {
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let location = self.location(key);
        match within(bytes, self.service.put_opts(&location, payload, options)).await {
            Ok(_) => Ok(Created::New),
            Err(Failure::Of(Error::AlreadyExists { .. } | Error::Precondition { .. })) => Ok(Created::AlreadyThere),
            Err(failure) => Err(failure.to_store_error()),
        }
    }

    pub(super) async fn facts(&self, key: &str) -> Result<Option<Facts>, StoreError> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let location = self.location(key);
        let answer = match within(0, self.service.get_opts(&location, options)).await {
            Ok(answer) => answer,
            Err(Failure::Of(Error::NotFound { .. })) => return Ok(None),
            Err(failure) => return Err(failure.to_store_error()),
        };
        let value = |name: &str| answer.attributes.get(&Attribute::Metadata(name.to_owned().into())).map(AsRef::as_ref);
        Facts::from_metadata(value).map(Some).ok_or_else(|| no_facts(key))
    }

    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let folder = self.location(folder);
        let prefix = (!folder.as_ref().is_empty()).then_some(&folder);
        let mut objects = self.service.list(prefix);
        let mut listed = Vec::new();
        while let Some(object) = within(0, objects.try_next()).await.map_err(Failure::into_error)? {
            if let Some(key) = object.location.as_ref().strip_prefix(&self.prefix) {
                listed.push(Listed { key: key.to_owned(), bytes: object.size });
            }
        }
        Ok(listed)
    }

    pub(super) async fn fetch(&self, key: &str) -> Result<fs::File, StoreError> {
        let here = logyard::sys::dir::Dir::open(".");
        let unable = |cause: &dyn std::fmt::Display| StoreError::Refused(format!("unable to keep {key}: {cause}"));
        let file =
            here.and_then(|here| crate::object::spool(&here)).map_err(|errno| unable(&logyard::cli::cause(errno)))?;
        let mut file = crate::object::handle(&file).map_err(|error| unable(&error))?;
        let location = self.location(key);
        let answer = within(0, self.service.get(&location)).await.map_err(Failure::into_error)?;
        let mut chunks = answer.into_stream();
        while let Some(chunk) = within(0, chunks.try_next()).await.map_err(Failure::into_error)? {
            file.write_all(&chunk).map_err(|error| unable(&error))?;
        }
        file.rewind().map_err(|error| unable(&error))?;
        Ok(file)
    }

    pub(super) async fn remove(&self, key: &str) -> Result<(), StoreError> {
        let location = self.location(key);
        match within(0, self.service.delete(&location)).await {
            Ok(()) | Err(Failure::Of(Error::NotFound { .. })) => Ok(()),
            Err(failure) => Err(failure.to_store_error()),
        }
    }

    fn location(&self, key: &str) -> Path {
        Path::from(format!("{}{key}", self.prefix))
    }
}

/// Why a request failed.
enum Failure {
    Of(Error),
    TooSlow,
}

impl Failure {
    fn to_store_error(&self) -> StoreError {
        match self {
            Failure::TooSlow => StoreError::Away("the store does not answer in time".to_owned()),
            Failure::Of(error) => {
                let text = one_line(error);
                match error {
                    Error::PermissionDenied { .. }
                    | Error::Unauthenticated { .. }
                    | Error::NotFound { .. }
                    | Error::InvalidPath { .. }
                    | Error::NotSupported { .. }
                    | Error::NotImplemented { .. }
                    | Error::UnknownConfigurationKey { .. } => {
                        StoreError::Refused(format!("the store refuses: {text}"))
                    }
                    _ => StoreError::Away(format!("the store is away: {text}")),
                }
            }
        }
    }

    fn into_error(self) -> StoreError {
        self.to_store_error()
    }
}

/// Waits for an answer no longer than a request of so many bytes may take.
async fn within<T>(bytes: u64, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    let limit = Duration::from_secs(REQUEST_SECONDS + bytes / SLOWEST_BYTES_PER_SECOND);
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(Failure::Of),
        Err(_) => Err(Failure::TooSlow),
    }
}

/// The longest part of an answer that a message shows.
const SHOWN_CHARACTERS: usize = 400;

/// An error with all its causes, in one line. Services answer with whole pages.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN_CHARACTERS).collect()
}
