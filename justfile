# The usual tasks. Each is one command that also works without just: see CONTRIBUTING.md.

# List the tasks.
default:
    @just --list

# Run all tests, or those whose names contain NAME.
test *NAME:
    cargo test {{NAME}}

# Check everything that CI checks.
ci:
    .ci/run

# Run the long proofs: kills, power cuts, full disks.
torture *TESTS:
    .ci/torture {{TESTS}}

# Benchmark the inner parts, or those whose names contain NAME.
bench *NAME:
    cargo bench --bench parts -- {{NAME}}

# Benchmark loggers side by side.
logbench *OPTIONS:
    cargo build --release -p logyard --bin multilog
    cargo run --release -p logbench -- run {{OPTIONS}}

# Build the Debian packages, the tarball and their checksums.
packages *OPTIONS:
    packaging/build {{OPTIONS}}

# Try the packages in Debian roots.
packages-test *CASES:
    packaging/test {{CASES}}
