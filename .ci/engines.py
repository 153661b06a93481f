"""The part of .ci/engines that asks: see there."""

import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time

LOGSHIP, TAI64NLOCAL = os.environ["LOGSHIP"], os.environ["TAI64NLOCAL"]
HOSTS, SERVICES = ("mail1", "mail2"), ("qmail", "dns", "web")
# 14:40:30 UTC on 2026-09-21.
START, DAY = 1790001630, 86400
ARCHIVES, LINES = 8, 20000
MINUTE = "2026-09-21 14:42"
WORDS = (
    "new msg {n}", "info msg {n}: bytes 2342 from <a@example.org> qp {n} uid 500", "starting delivery {n}: msg {n} to remote b@example.net",
    "delivery {n}: success: 192.0.2.1_accepted_message./", "delivery {n}: deferral: Connected_to_192.0.2.1_but_greeting_failed./", "end msg {n}",
)
QUERIES = (
    ("count by service", "SELECT service, count(*) FROM logs GROUP BY service ORDER BY service"),
    ("one minute of one host", "SELECT count(*) FROM logs WHERE host = 'mail1' AND {minute}"),
    ("LIKE over everything", "SELECT count(*) FROM logs WHERE message LIKE '%deferral%'"),
)
MASTER, PORT = "spark://127.0.0.1:7177", "7177"


def label(seconds, nanoseconds):
    return f"@{2**62 + 10 + seconds:016x}{nanoseconds:08x}"


def write_logs(root, numbers):
    """Two days of two hosts with three services each."""
    for host in HOSTS:
        for service in SERVICES:
            folder = f"{root}/{host}/{service}/log/main"
            os.makedirs(folder, exist_ok=True)
            for archive in numbers:
                dice = random.Random(f"{host} {service} {archive}")
                start = START + (archive % 2) * DAY + archive * 60
                # 20,000 lines in a minute.
                stamps = [label(start + n * 60 // LINES, n * 50021 % 10**9) for n in range(LINES)]
                lines = [f"{stamp} {dice.choice(WORDS).format(n=dice.randrange(10**6))}\n" for stamp in stamps]
                with open(f"{folder}/{label(start + 60, archive)}.s", "w", encoding="utf-8") as file:
                    file.writelines(lines)


def logship(*arguments):
    subprocess.run([LOGSHIP, *arguments], check=True, stderr=subprocess.DEVNULL)


def ship(root):
    for host in HOSTS:
        logs = [f"{root}/{host}/{service}/log/main" for service in SERVICES]
        logship("ship", "--once", "--host", host, *logs, f"file://{root}/raw")


def size(folder):
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    return len(paths), sum(os.path.getsize(path) for path in paths)


def timed(name, answer):
    begin = time.monotonic()
    rows = answer()
    return name, rows, time.monotonic() - begin


def shell(root):
    def count(what, pattern):
        command = f"cat {root}/{what}/log/main/@* | {TAI64NLOCAL} | grep -c -- '{pattern}'"
        return int(subprocess.run(["sh", "-c", command], env={**os.environ, "TZ": "UTC"}, stdout=subprocess.PIPE, check=True).stdout)

    yield timed(QUERIES[0][0], lambda: [(service, count(f"*/{service}", "")) for service in sorted(SERVICES)])
    yield timed(QUERIES[1][0], lambda: [(count("mail1/*", f"^{MINUTE}:"),)])
    yield timed(QUERIES[2][0], lambda: [(count("*/*", "deferral"),)])


def duckdb(root):
    import duckdb as engine

    engine.sql(f"SET TimeZone = 'UTC'; CREATE VIEW raw_logs AS FROM read_parquet('{root}/raw/date=*/host=*/service=*/*.parquet', hive_partitioning = true)")
    engine.sql(f"""
        SET VARIABLE objects = (
          WITH markers AS MATERIALIZED (
            FROM read_json('{root}/compacted/markers/*/*/*/*.json', format = 'newline_delimited', columns = {{raw: 'VARCHAR', compacted: 'VARCHAR'}})
          )
          SELECT list(file) FROM (
            SELECT DISTINCT '{root}/compacted/' || compacted AS file FROM markers
            UNION ALL
            SELECT file FROM glob('{root}/raw/date=*/host=*/service=*/*.parquet')
             WHERE substr(file, length('{root}/raw/') + 1) NOT IN (SELECT raw FROM markers)
          )
        )""")
    minute = f"time >= '{MINUTE}:00Z' AND time < '{MINUTE}:00Z'::TIMESTAMPTZ + INTERVAL 1 MINUTE"
    for source in ("raw_logs", "read_parquet(getvariable('objects'), hive_partitioning = true)"):
        def ask(query, source=source):
            return engine.sql(query.replace("logs", source).format(minute=minute)).fetchall()

        yield [timed(name, lambda query=query: ask(query)) for name, query in QUERIES]


def clickhouse(root):
    from chdb.session import Session

    session = Session(f"{root}/clickhouse")

    def rows(query):
        text = str(session.query(query + " SETTINGS use_hive_partitioning = 1", "TSV"))
        return [tuple(int(cell) if cell.isdigit() else cell for cell in line.split("\t")) for line in text.splitlines()]

    minute = f"time >= toDateTime64('{MINUTE}:00', 6, 'UTC') AND time < toDateTime64('{MINUTE}:00', 6, 'UTC') + INTERVAL 1 MINUTE"
    raw = f"file('{root}/raw/date=*/host=*/service=*/*.parquet', 'Parquet')"
    merged = f"file('{root}/compacted/data/date=*/host=*/service=*/*.parquet', 'Parquet')"
    markers = f"file('{root}/compacted/markers/*/*/*/*.json', 'JSONEachRow', 'raw String, compacted String')"
    session.query("CREATE DATABASE ours ENGINE = Atomic")
    session.query(f"CREATE OR REPLACE TABLE ours.markers ENGINE = Memory AS SELECT raw, compacted FROM {markers}")
    columns = "time, nanos, archive, line, message, raw, continues, continued, date, host, service"
    view = f"""(SELECT {columns} FROM {raw} WHERE substring(_path, position(_path, 'date=')) NOT IN (SELECT raw FROM ours.markers)
        UNION ALL SELECT {columns} FROM {merged} WHERE substring(_path, position(_path, 'data/date=')) IN (SELECT compacted FROM ours.markers))"""
    for source in (raw, view):
        def ask(query, source=source):
            return rows(query.replace("logs", source).format(minute=minute))

        yield [timed(name, lambda query=query: ask(query)) for name, query in QUERIES]


def spark(root):
    import pyspark
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import col, regexp_extract

    home = os.path.dirname(pyspark.__file__)
    environment = {**os.environ, "SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1", "SPARK_LOG_DIR": root}
    os.environ.update(SPARK_HOME=home, SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable)

    def start(*arguments):
        command = [f"{home}/bin/spark-class", *arguments]
        log = open(f"{root}/spark.log", "ab")
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    deploy = "org.apache.spark.deploy"
    parts = [start(f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", PORT, "--webui-port", "0")]
    for number in range(2):
        worker = ("--host", "127.0.0.1", "-c", "1", "-m", "1g", "--webui-port", "0", "-d", f"{root}/worker{number}")
        parts.append(start(f"{deploy}.worker.Worker", *worker, MASTER))
    try:
        builder = SparkSession.builder.master(MASTER).config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "2")
        session = builder.config("spark.executor.memory", "768m").config("spark.cores.max", "2").getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        # The markers are read now, and the objects are listed after that.
        markers = session.read.json(f"{root}/compacted/markers/*/*/*/*.json").localCheckpoint()
        raw = session.read.parquet(f"{root}/raw")
        merged = session.read.parquet(f"{root}/compacted/data")
        of_raw = regexp_extract(col("_metadata.file_path"), "date=.*", 0)
        of_merged = regexp_extract(col("_metadata.file_path"), "data/date=.*", 0)
        covered = markers.select(col("raw").alias("object"))
        named = markers.select(col("compacted").alias("object")).distinct()
        view = raw.withColumn("object", of_raw).join(covered, "object", "left_anti").unionByName(
            merged.withColumn("object", of_merged).join(named, "object", "left_semi")
        )
        minute = f"time >= timestamp'{MINUTE}:00' AND time < timestamp'{MINUTE}:00' + INTERVAL 1 MINUTE"
        for source in (raw, view):
            source.createOrReplaceTempView("logs")
            yield [
                timed(name, lambda query=query: [tuple(row) for row in session.sql(query.format(minute=minute)).collect()])
                for name, query in QUERIES
            ]
        session.stop()
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            part.wait()


def version(engine):
    import importlib.metadata as metadata

    package = {"duckdb": "duckdb", "clickhouse": "chdb", "spark": "pyspark"}[engine]
    text = f"{package} {metadata.version(package)}"
    if engine == "clickhouse":
        import chdb

        text += f" (ClickHouse {chdb.engine_version})"
    return text


def main():
    root = tempfile.mkdtemp(prefix="logyard-engines-")
    is_equal = True
    try:
        # Two days; the second is compacted before its last archives arrive.
        write_logs(root, range(ARCHIVES - 2))
        ship(root)
        logship("compact", "--before", "2026-10-01", f"file://{root}/raw", f"file://{root}/compacted")
        write_logs(root, range(ARCHIVES - 2, ARCHIVES))
        ship(root)
        text = sum(size(f"{root}/{host}")[1] for host in HOSTS)
        (raw_count, raw_bytes), (merged_count, merged_bytes) = size(f"{root}/raw"), size(f"{root}/compacted/data")
        print(f"{time.strftime('%Y-%m-%d')}, Linux {platform.release().split('-')[0]}, {os.cpu_count()} processors")
        print(f"{len(HOSTS) * len(SERVICES) * ARCHIVES * LINES} lines, {text} bytes of text")
        print(f"raw: {raw_count} objects, {raw_bytes} bytes; merged: {merged_count} objects, {merged_bytes} bytes; late: 12 raw objects")
        expected = list(shell(root))
        for name, rows, seconds in expected:
            print(f"{'cat | tai64nlocal | grep':44} {name:24} {seconds:7.2f} s  {rows}")
        for engine in sys.argv[1:] or ("duckdb", "clickhouse", "spark"):
            for source, answers in zip(("raw", "raw and merged"), globals()[engine](root)):
                for (name, rows, seconds), (_, right, _) in zip(answers, expected):
                    rows = [tuple(row) for row in rows]
                    is_equal &= rows == right
                    verdict = "equal" if rows == right else f"DIFFERENT: {rows}"
                    print(f"{version(engine) + ', ' + source:44} {name:24} {seconds:7.2f} s  {verdict}", flush=True)
    finally:
        shutil.rmtree(root)
    print("all answers are equal" if is_equal else "answers differ")
    return 0 if is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
