"""Certificates for TLS tests, made by the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificates:
    """One authority and a certificate by it; `pem` is certificate and key in one file."""

    ca: Path
    certificate: Path
    key: Path
    pem: Path


def make_certificates(
    directory: Path, names: str = "DNS:localhost,IP:127.0.0.1", common_name: str = "localhost"
) -> Certificates:
    directory.mkdir(parents=True, exist_ok=True)
    ca = directory / "ca.pem"
    run_openssl(
        *("req", "-x509", *NEW_KEY, "-days", "30", "-subj", "/CN=test authority"),
        *("-addext", "keyUsage=critical,keyCertSign"),
        *("-keyout", directory / "ca.key", "-out", ca),
    )
    return another_certificate(directory, ca, names, common_name)


def another_certificate(
    directory: Path,
    ca: Path,
    names: str = "DNS:localhost,IP:127.0.0.1",
    common_name: str = "x",
    days: int = 30,
) -> Certificates:
    """By an authority that `make_certificates` made; replaces the one in that directory."""
    certificate, key = directory / "server.crt", directory / "server.key"
    run_openssl(
        *("req", "-x509", *NEW_KEY, "-days", str(days), "-subj", f"/CN={common_name}"),
        *("-CA", ca, "-CAkey", ca.with_suffix(".key"), "-addext", f"subjectAltName={names}"),
        *("-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate),
    )
    pem = directory / "server.pem"
    pem.write_bytes(certificate.read_bytes() + key.read_bytes())
    return Certificates(ca, certificate, key, pem)


def run_openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
