//! The object store.
//!
//! - [`local`]: a directory. [`remote`]: S3, Google Cloud Storage, Azure. [`certificates`]: whom TLS trusts.

mod certificates;
mod local;
mod remote;

use std::fmt;
use std::fs;

use bytes::Bytes;
use logyard::cli::Shown;
use logyard::sys::dir::Dir;
use logyard::sys::file::File;

use crate::facts::Facts;
use crate::object::Object;
use local::LocalStore;
use remote::RemoteStore;

/// How a store is reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// A file with certificates to trust instead of those in the program.
    pub(crate) ca: Option<std::path::PathBuf>,
    /// The address of a store that speaks the protocol of S3.
    pub(crate) endpoint: Option<String>,
}

/// An object store, or a part of one.
#[derive(Debug)]
pub(crate) enum Store {
    /// A directory.
    Local(LocalStore),
    /// A service.
    Remote(RemoteStore),
}

/// What became of the creation of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// It is there now, and was not before.
    New,
    /// One with this key was there before. It is unchanged.
    AlreadyThere,
}

/// An object in a list.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Its key.
    pub(crate) key: String,
    /// Its size.
    pub(crate) bytes: u64,
}

/// Why a store did not do something.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// It may do so later.
    Away(String),
    /// It will not: the credentials, the name or the request are wrong.
    Refused(String),
    /// The object is not one of logship, or is damaged. A second attempt would not help.
    Damaged(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (StoreError::Away(cause) | StoreError::Refused(cause) | StoreError::Damaged(cause)) = self;
        write!(out, "{}", Shown(cause.as_bytes()))
    }
}

impl Store {
    /// Takes the store that a URL names.
    pub(crate) fn open(url: &str, access: &Access) -> Result<Store, String> {
        match url.strip_prefix("file://") {
            Some(path) if path.starts_with('/') => Ok(Store::Local(LocalStore::new(path))),
            Some(_) => Err(format!("unable to use store {url}: the path must be absolute: file:///srv/logs")),
            None => RemoteStore::new(url, access).map(Store::Remote),
        }
    }

    /// Makes the file in which an object waits to be created. `fallback` is used if no other place has room for one.
    pub(crate) fn spool(&self, key: &str, fallback: &Dir) -> logyard::sys::Result<File> {
        match self {
            Store::Local(store) => store.spool(key),
            Store::Remote(_) => crate::object::spool(fallback),
        }
    }

    /// Creates an object, unless there is one with this key.
    pub(crate) async fn create(&self, key: &str, object: &Object) -> Result<Created, StoreError> {
        match self {
            Store::Local(store) => store.create(key, object),
            // The request owns what it sends.
            Store::Remote(store) => {
                let object = object.again().map_err(|error| StoreError::Away(error.to_string()))?;
                store.create(key, object).await
            }
        }
    }

    /// What an object says about its archive; `None` if there is no object. An object that says nothing is an error.
    pub(crate) async fn facts(&self, key: &str) -> Result<Option<Facts>, StoreError> {
        match self {
            Store::Local(store) => store.facts(key),
            Store::Remote(store) => store.facts(key).await,
        }
    }

    /// The objects whose keys begin with a folder (with `""`, all), in the order of their keys.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let mut listed = match self {
            Store::Local(store) => store.list(folder)?,
            Store::Remote(store) => store.list(folder).await?,
        };
        listed.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(listed)
    }

    /// An object's bytes, as a file.
    pub(crate) async fn fetch(&self, key: &str) -> Result<fs::File, StoreError> {
        match self {
            Store::Local(store) => store.fetch(key),
            Store::Remote(store) => store.fetch(key).await,
        }
    }

    /// Creates a small object that is no archive, unless there is one with this key.
    pub(crate) async fn create_note(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        match self {
            Store::Local(store) => store.create_note(key, &bytes),
            Store::Remote(store) => store.create_note(key, bytes).await,
        }
    }

    /// Removes an object. One that is not there is no error.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), StoreError> {
        match self {
            Store::Local(store) => store.remove(key),
            Store::Remote(store) => store.remove(key).await,
        }
    }
}

/// The error of an object without facts.
fn no_facts(key: &str) -> StoreError {
    StoreError::Damaged(format!("{key} is no object of logship"))
}
