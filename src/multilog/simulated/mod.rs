//! A simulated machine behind the engine's interfaces: directories, a clock and a pipe in memory.
//!
//! Every call counts. At any one of them the machine can answer with an error, kill the process (by a panic that the test
//! catches; what was done before the call stays), or cut the power: then the disk holds everything that was synced, and
//! some of the rest.
//!
//! - [`disk`]: files and names. [`pipe`]: the input. [`faults`]: what goes wrong, and when.
//! - [`tests`]: the loops over all calls. [`legacies`]: loggers that are killed, and others that take over.
//!   [`reloads`]: another script at a HUP. [`limits`]: archives that have to go. [`held`]: archives that stay until they are
//!   shipped. [`withheld`]: lines that are counted. [`shown`]: what other programs read.

mod disk;
mod faults;
mod held;
mod legacies;
mod limits;
mod pipe;
mod reloads;
mod shown;
mod tests;
mod withheld;
