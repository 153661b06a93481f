//! Does a store honour put-if-absent? Some accept the condition and ignore it, and would lose what another shipper created.

use std::time::Duration;

use bytes::Bytes;

use crate::patience::Patience;
use crate::store::{Created, Store, StoreError};

/// The object that is created twice. Engines skip names that begin with an underscore.
const PROBE: &str = "_logship/probe";
const TEXT: &str = "logship creates this object twice to see whether the store refuses the second time\n";

/// Another shipper may remove the object between the two creations. That this happens so often is out of the question.
const ATTEMPTS: u32 = 8;
const BETWEEN: Duration = Duration::from_millis(50);

/// Makes sure that the store refuses to create an object twice.
pub(crate) async fn probe(store: &Store, patience: &Patience<'_>) -> Result<(), StoreError> {
    if honours_put_if_absent(store, patience).await? {
        return Ok(());
    }
    let text = "the store creates an object that is there already: it would not be exactly once";
    Err(StoreError::Refused(text.to_owned()))
}

/// Tells whether the store refuses to create an object that is there.
///
/// All shippers use the same name, so that one that is killed here leaves nothing that the next one does not remove. Each
/// request is repeated by itself: a store that fails often may never answer several in a row.
async fn honours_put_if_absent(store: &Store, patience: &Patience<'_>) -> Result<bool, StoreError> {
    let create = async || store.create_note(PROBE, Bytes::from_static(TEXT.as_bytes())).await;
    for attempt in 1..=ATTEMPTS {
        patience.persist(create).await?;
        let second = patience.persist(create).await?;
        patience.persist(async || store.remove(PROBE).await).await?;
        if second == Created::AlreadyThere {
            return Ok(true);
        }
        tokio::time::sleep(BETWEEN * attempt).await;
    }
    Ok(false)
}
