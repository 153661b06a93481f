"""Compares what is in a store with the log directories it came from, line by line: `compare.py LOGS RAW [COMPACTED]`.

RAW and COMPACTED are directories, or the endpoint of S3 with bucket and prefix: `http://127.0.0.1:5000/logs/raw`. The log directories
are LOGS/HOST/SERVICE/log/main. DuckDB reads the objects; each line must be there once, and no name may be there that is not that of
an object. With COMPACTED, the objects are those that doc/past-one-machine.md chooses.
"""

import glob
import os
import sys
import tempfile
import urllib.parse

import duckdb

logs, raw = sys.argv[1:3]
compacted = sys.argv[3] if len(sys.argv) > 3 else None

OBJECTS = """
SET VARIABLE objects = (
  WITH markers AS MATERIALIZED (
    FROM read_json('{compacted}/markers/*/*/*/*.json', format = 'newline_delimited', columns = {{raw: 'VARCHAR', compacted: 'VARCHAR'}})
  )
  SELECT list(file) FROM (
    SELECT DISTINCT '{compacted}/' || compacted AS file FROM markers
    UNION ALL
    SELECT file FROM glob('{raw}/date=*/host=*/service=*/*.parquet')
     WHERE substr(file, length('{raw}/') + 1) NOT IN (SELECT raw FROM markers)
  )
);
"""
ROWS = """
SELECT host, service, archive, line, printf('@%016x%08x %s', 4611686018427387914 + epoch_us(time) // 1000000,
       (epoch_us(time) % 1000000) * 1000 + nanos, message)
  FROM read_parquet({objects}, hive_partitioning = true) ORDER BY ALL
"""


def download(url, folder):
    """The objects below a prefix, as files: DuckDB reaches S3 only with an extension."""
    import boto3

    address = urllib.parse.urlsplit(url)
    bucket, prefix = address.path.lstrip("/").split("/", 1)
    access = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=f"{address.scheme}://{address.netloc}", **access)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/"):
        for listed in page.get("Contents", []):
            path = os.path.join(folder, listed["Key"].removeprefix(prefix + "/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            s3.download_file(bucket, listed["Key"], path)
    return folder


def names(folder):
    return [name for _, _, names in os.walk(folder) for name in names]


def source_rows():
    for path in sorted(glob.glob(f"{logs}/*/*/log/main/@*")):
        host, service = path.split("/")[-5:-3]
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield host, service, os.path.basename(path), number, line.decode().removesuffix("\n")


def stored_rows():
    if compacted and glob.glob(f"{compacted}/markers/*/*/*/*.json"):
        duckdb.sql(OBJECTS.format(raw=raw, compacted=compacted))
        return duckdb.sql(ROWS.format(objects="getvariable('objects')")).fetchall()
    return duckdb.sql(ROWS.format(objects=f"'{raw}/date=*/host=*/service=*/*.parquet'")).fetchall()


with tempfile.TemporaryDirectory() as folder:
    if raw.startswith("http"):
        raw = download(raw, f"{folder}/raw")
        compacted = compacted and download(compacted, f"{folder}/compacted")
    stray = [name for name in names(raw) if not name.endswith(".parquet") or name.startswith((".", "_"))]
    # A run of compact that was killed may leave the object of the probe: only the raw objects are compared with a finished run.
    stray += [name for name in names(compacted or raw) if compacted and not name[:6].isdigit() and name != "probe"]
    assert not stray, f"stray names: {stray}"
    found = stored_rows()
    count = len(names(raw))

expected = sorted(source_rows())
assert len(expected) > 0
lost, doubled = set(expected) - set(found), len(found) - len(set(found))
others = set(found) - set(expected)
assert not lost and not doubled and not others, f"{len(lost)} lost, {doubled} doubled, {len(others)} others: {others}"
print(f"{len(found)} lines, each once, in {count} objects")
