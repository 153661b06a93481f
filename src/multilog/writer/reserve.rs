//! Disk space that is reserved ahead of the writes: the rest of a preallocated `current`, and the file that is preallocated
//! for the next one.

use std::sync::Arc;
use std::time::Instant;

use crate::logdir::names::CURRENT;
use crate::multilog::error::Error;
use crate::multilog::patience::Patience;
use crate::multilog::writer::current::{Current, make_current};
use crate::multilog::writer::directory::{Directory, LogFile};
use crate::multilog::writer::place::SharedPlace;
use crate::multilog::writer::preallocated::{self, Preallocated};
use crate::sys::Errno;

/// The preallocated space of a directory.
#[derive(Debug)]
pub(super) struct Reserve<D: Directory> {
    next: Arc<Preallocated<D>>,
    /// The room that `current` had from the beginning, if it was preallocated.
    current_bytes: u64,
    /// When the last rotation was, or the start.
    filling_since: Instant,
}

impl<D: Directory> Reserve<D> {
    /// Nothing, in a directory of whose files none grows beyond `size_max_bytes`.
    pub(super) fn new(place: SharedPlace<D>, size_max_bytes: u64) -> Reserve<D> {
        let next = Arc::new(Preallocated::new(place, size_max_bytes));
        Reserve { next, current_bytes: 0, filling_since: Instant::now() }
    }

    /// The files may grow to another size from now on. Nothing may be reserved: see [`Reserve::give_back`].
    pub(super) fn change_size(&mut self, size_max_bytes: u64) {
        self.next.change_size(size_max_bytes);
    }

    /// The next file, which the finisher makes.
    pub(super) fn next(&self) -> &Arc<Preallocated<D>> {
        &self.next
    }

    /// Makes a new `current`, of the preallocated file if there is one.
    pub(super) fn make_current(
        &mut self,
        place: &SharedPlace<D>,
        patience: &mut impl Patience,
    ) -> Result<Current<D::File>, Error> {
        let mut preallocated = None;
        if let Some(file) = self.next.take() {
            match place.directory.give_name(&file, CURRENT) {
                Ok(()) => {
                    self.current_bytes = self.next.room_bytes();
                    preallocated = file.stat().ok().map(|stat| stat.identity);
                }
                // Somebody else's file, or a disk that is full.
                Err(Errno::EEXIST | Errno::ENOSPC | Errno::EDQUOT) => {}
                Err(_) => self.next.give_up(),
            }
        }
        // Opened again by its name: a file that was opened without a name is shown as deleted.
        let current = make_current(place, "create", patience)?;
        if preallocated.is_some_and(|identity| identity != current.identity) {
            // Another process put another file in its place.
            self.current_bytes = 0;
        }
        Ok(current)
    }

    /// A file of `filled_bytes` has become `previous`: asks for a preallocated file if that one was filled quickly.
    pub(super) fn note_rotation(&mut self, filled_bytes: u64) {
        let was_full = filled_bytes >= self.next.room_bytes();
        if was_full && self.filling_since.elapsed() < preallocated::FILLING_TIME {
            self.next.want();
        }
        self.filling_since = Instant::now();
    }

    /// Releases everything, and returns whether there was any.
    pub(super) fn give_back(&mut self, current: &D::File, filled_bytes: u64) -> bool {
        let had_next = self.next.forget();
        self.end_file(current, filled_bytes) || had_next
    }

    /// Nothing more will be written to `current` soon: releases its unused space.
    pub(super) fn end_file(&mut self, current: &D::File, filled_bytes: u64) -> bool {
        let has_rest = std::mem::take(&mut self.current_bytes) > filled_bytes;
        if has_rest {
            // If that fails the room is free when the file is removed.
            let _ = preallocated::give_back(current);
        }
        has_rest
    }
}
