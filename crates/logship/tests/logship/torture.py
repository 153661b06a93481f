"""Compares what is in a store with the log directories it came from, line by line: `torture.py STORE LOGS`.

STORE is a directory, or the endpoint of S3 with bucket and prefix: `http://127.0.0.1:5000/logs/raw`. The log directories are
LOGS/HOST/SERVICE/log/main. DuckDB reads the objects; each line must be there once, and no name may be there that is not an object.
"""

import glob
import os
import sys
import tempfile
import urllib.parse

import duckdb

store, logs = sys.argv[1:3]


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


def source_rows():
    for path in sorted(glob.glob(f"{logs}/*/*/log/main/@*")):
        host, service = path.split("/")[-5:-3]
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield host, service, os.path.basename(path), number, line.decode().removesuffix("\n")


with tempfile.TemporaryDirectory() as folder:
    if store.startswith("http"):
        download(store, folder)
        store = folder
    names = [name for _, _, names in os.walk(store) for name in names]
    stray = [name for name in names if not name.endswith(".parquet") or name.startswith((".", "_"))]
    assert not stray, f"stray names: {stray}"
    query = f"""SELECT host, service, archive, line, printf('@%016x%08x %s', 4611686018427387914 + epoch_us(time) // 1000000,
                (epoch_us(time) % 1000000) * 1000 + nanos, message)
                FROM read_parquet('{store}/date=*/host=*/service=*/*.parquet', hive_partitioning = true) ORDER BY ALL"""
    found = duckdb.sql(query).fetchall()

expected = sorted(source_rows())
assert len(expected) > 0
lost, doubled = set(expected) - set(found), len(found) - len(set(found))
others = set(found) - set(expected)
assert not lost and not doubled and not others, f"{len(lost)} lost, {doubled} doubled, {len(others)} others: {others}"
print(f"{len(found)} lines, each once, in {len(names)} objects")
