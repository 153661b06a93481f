//! Other readers and writers of the pipe, for longer than in [`crate::multilog::shared_pipe`].

use crate::multilog::shared_pipe::{
    log_packets, lose_what_was_consumed_in_the_place_of_other_bytes, settle_beside_a_logger_that_starts,
    steal_while_the_disk_is_full, wait_for_a_logger_that_hangs,
};

#[test]
#[ignore = "takes minutes: .ci/torture"]
fn many_killed_loggers_of_packets_lose_and_duplicate_nothing() {
    for seed in 10..40 {
        log_packets(200_000, 100, seed);
    }
}

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn bytes_consumed_in_the_place_of_those_another_reader_took_are_logged() {
    steal_while_the_disk_is_full(false);
    steal_while_the_disk_is_full(true);
}

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn a_logger_that_exits_reports_the_bytes_it_consumed_in_the_place_of_others() {
    lose_what_was_consumed_in_the_place_of_other_bytes();
}

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn a_logger_that_starts_waits_for_one_that_completes_a_batch() {
    settle_beside_a_logger_that_starts();
}

#[test]
#[ignore = "takes some seconds: .ci/torture"]
fn a_logger_waits_ten_seconds_for_a_stopped_one() {
    wait_for_a_logger_that_hangs();
}
