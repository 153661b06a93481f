//! Starts threads with small stacks.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread with a stack of `stack_bytes`. Not generic, so that a program has the code for this once, however many
/// kinds of threads it has: all of it counts where an old run script limits the memory.
pub fn start(stack_bytes: usize, run: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    Builder::new().stack_size(stack_bytes).spawn(run)
}
