"""Runs logship in an empty root, against a store with a name of its own, over HTTP and over HTTPS.

Called in a network namespace of its own: `empty_root.py ROOT`. ROOT holds the program, /etc/resolv.conf, and log directories; the
certificate for `--ca` is written to it. Prints what logship printed.
"""

import datetime
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

# A name whose buckets moto finds in the path.
NAME = "s3.amazonaws.com"
ROOT = sys.argv[1]
KEYS = sys.argv[2]
SIOCSIFFLAGS = 0x8914
IFF_UP_RUNNING = 0x41


def start_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_RUNNING))


def answer_names():
    """A name server: each name has the address 127.0.0.1, and no address of IPv6."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def serve():
        while True:
            query, sender = server.recvfrom(512)
            end = query.index(b"\0", 12) + 5
            is_for_ipv4 = query[end - 4 : end - 2] == b"\0\x01"
            header = query[:2] + b"\x81\x80\0\x01" + struct.pack(">H", is_for_ipv4) + b"\0\0\0\0"
            address = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01" if is_for_ipv4 else b""
            server.sendto(header + query[12:end] + address, sender)

    threading.Thread(target=serve, daemon=True).start()


def make_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=2))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    with open(f"{ROOT}/ca.pem", "wb") as file:
        file.write(certificate)
    with open(f"{KEYS}/key.pem", "wb") as file:
        form = serialization.PrivateFormat.PKCS8
        file.write(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return f"{ROOT}/ca.pem", f"{KEYS}/key.pem"


def serve(port, ssl_context):
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", port, application, threaded=True, ssl_context=ssl_context)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def enter_root():
    os.chroot(ROOT)
    os.chdir("/")


def logship(*arguments):
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    command = ["/logship", *arguments]
    answer = subprocess.run(
        command, env=environment, preexec_fn=enter_root, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE, check=False,
    )
    print(f"{arguments[0]} exits {answer.returncode}: {answer.stdout.decode(errors='replace')}", flush=True)


start_loopback()
answer_names()
serve(80, None)
serve(443, make_certificate())
# The bucket is that of both servers: they run in one process.
urllib.request.urlopen(urllib.request.Request("http://127.0.0.1/logs", method="PUT"))
for scheme, extra in (("http", []), ("https", ["--ca", "/ca.pem"])):
    access = ["--endpoint", f"{scheme}://{NAME}", *extra]
    logship("ship", "--once", "--retry", "30", "--host", "h1", *access, "/mail", f"s3://logs/{scheme}")
    logship("verify", "--content", *access, "/mail", f"s3://logs/{scheme}")
    logship("get", "--service", "mail", *access, f"s3://logs/{scheme}")
# Without the certificate, the store is not trusted.
logship("ship", "--once", "--retry", "1", "--endpoint", f"https://{NAME}", "/mail", "s3://logs/other")
