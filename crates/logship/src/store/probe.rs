//! Does a store honour put-if-absent? Some accept the condition and ignore it, and would lose what another shipper created.

use std::time::Duration;

use super::{Created, Store, StoreError};

/// The object that is created twice. Engines skip names that begin with an underscore.
const PROBE: &str = "_logship/probe";
const TEXT: &str = "logship creates this object twice to see whether the store refuses the second time\n";

/// Another shipper may remove the object between the two creations. That this happens so often is out of the question.
const ATTEMPTS: u32 = 8;
const BETWEEN: Duration = Duration::from_millis(50);

/// Tells whether the store refuses to create an object that is there.
///
/// All shippers use the same name, so that one that is killed here leaves nothing that the next one does not remove.
pub(crate) async fn honours_put_if_absent(store: &Store) -> Result<bool, StoreError> {
    for attempt in 1..=ATTEMPTS {
        store.create_note(PROBE, TEXT).await?;
        let second = store.create_note(PROBE, TEXT).await?;
        store.remove(PROBE).await?;
        if second == Created::AlreadyThere {
            return Ok(true);
        }
        tokio::time::sleep(BETWEEN * attempt).await;
    }
    Ok(false)
}
