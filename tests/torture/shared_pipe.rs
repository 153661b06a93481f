//! What others who share the pipe may do to it, for longer than in [`crate::multilog::shared_pipe`].

use crate::multilog::shared_pipe::{log_packets, steal_while_the_disk_is_full};

#[test]
#[ignore = "takes minutes: .ci/torture"]
fn many_loggers_of_packets_that_are_killed_lose_and_double_nothing() {
    for seed in 10..40 {
        log_packets(200_000, 100, seed);
    }
}

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn what_is_consumed_in_the_place_of_what_another_reader_took_is_logged() {
    steal_while_the_disk_is_full(false);
    steal_while_the_disk_is_full(true);
}
