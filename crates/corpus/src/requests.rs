//! The log of a service that answers requests: as text with stack traces, or as JSON.

use std::fmt::Write;

use crate::Random;

const METHODS: [&str; 4] = ["GET", "GET", "POST", "PUT"];
const PATHS: [&str; 5] = ["/api/orders", "/api/orders/lines", "/api/users/me", "/health", "/api/search?q=shoes&page=2"];
const CLASSES: [&str; 6] = [
    "com.example.orders.OrderService.find",
    "com.example.orders.web.OrderController.get",
    "com.example.http.Router.dispatch",
    "com.example.http.Worker.run",
    "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker",
    "java.base/java.lang.Thread.run",
];

/// Where the log stands.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    number: u64,
    /// The lines of the stack trace that are still to come.
    trace_lines: usize,
}

impl Requests {
    /// Appends a message, or the next line of its stack trace. One message in ten has a trace.
    pub(crate) fn write_trace_line(&mut self, random: &mut Random, line: &mut String) {
        let written = if self.trace_lines > 0 {
            self.trace_lines -= 1;
            let (class, number) = (random.pick(&CLASSES), random.within(20..=900));
            write!(line, "\tat {class}(Source.java:{number})")
        } else {
            self.number += 1;
            let (worker, order) = (random.within(1..=16), random.within(1..=90_000));
            if random.within(1..=10) == 1 {
                self.trace_lines = random.within(5..=25);
                write!(line, "ERROR [worker-{worker}] java.lang.IllegalStateException: order {order} is closed")
            } else {
                let milliseconds = random.within(1..=400);
                write!(line, "INFO  [worker-{worker}] request {}: order {order}, {milliseconds} ms", self.number)
            }
        };
        written.expect("a String takes everything");
    }

    /// Appends an object.
    pub(crate) fn write_json(&mut self, random: &mut Random, line: &mut String) {
        self.number += 1;
        let (milliseconds, host, user) = (random.within(0..=999), random.within(1..=40), random.within(1..=9999));
        let (method, path) = (random.pick(&METHODS), random.pick(&PATHS));
        let (status, bytes) = (random.pick(&[200, 200, 200, 304, 404, 500]), random.within(0..=60_000));
        let (second, trace) = (self.number / 100 % 60, random.number());
        let level = if *status == 500 { "error" } else { "info" };
        let written = write!(
            line,
            "{{\"time\":\"2026-11-22T10:15:{second:02}.{milliseconds:03}Z\",\"level\":\"{level}\",\"host\":\"web-{host}\",\
             \"message\":\"request\",\"method\":\"{method}\",\"path\":\"{path}\",\"status\":{status},\"bytes\":{bytes},\
             \"user\":{user},\"trace_id\":\"{trace:016x}\",\"ms\":{milliseconds}.5}}"
        );
        written.expect("a String takes everything");
    }
}
