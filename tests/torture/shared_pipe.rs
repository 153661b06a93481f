//! What others who share the pipe may do to it, for longer than in [`crate::multilog::shared_pipe`].

use crate::multilog::shared_pipe::{
    log_packets, lose_what_was_consumed_in_the_place_of_other_bytes, settle_beside_a_logger_that_starts,
    steal_while_the_disk_is_full, wait_for_a_logger_that_hangs,
};

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

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn of_what_was_consumed_in_the_place_of_other_bytes_a_logger_that_leaves_says_how_much_is_lost() {
    lose_what_was_consumed_in_the_place_of_other_bytes();
}

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn a_logger_that_starts_takes_nothing_from_one_that_completes_a_killed_one_s_batch() {
    settle_beside_a_logger_that_starts();
}

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn a_logger_whose_pipe_a_stopped_one_has_waits_ten_seconds() {
    wait_for_a_logger_that_hangs();
}
