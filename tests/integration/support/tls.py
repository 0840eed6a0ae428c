"""Certificates for TLS tests, made by the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """One authority and a server certificate by it; `pem` is certificate and key in one file."""

    ca: Path
    certificate: Path
    key: Path
    pem: Path


def make_certificates(
    directory: Path, names: str = "DNS:localhost,IP:127.0.0.1", common_name: str = "localhost"
) -> Certificates:
    directory.mkdir(parents=True, exist_ok=True)
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    certificate, key = directory / "server.crt", directory / "server.key"
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run_openssl(
        *("req", "-x509", *new_key, "-days", "30", "-subj", "/CN=test authority"),
        *("-addext", "keyUsage=critical,keyCertSign", "-keyout", ca_key, "-out", ca),
    )
    run_openssl(
        *("req", "-x509", *new_key, "-days", "30", "-subj", f"/CN={common_name}"),
        *("-CA", ca, "-CAkey", ca_key, "-addext", f"subjectAltName={names}"),
        *("-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate),
    )
    pem = directory / "server.pem"
    pem.write_bytes(certificate.read_bytes() + key.read_bytes())
    return Certificates(ca, certificate, key, pem)


def run_openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
