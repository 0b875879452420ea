"""The emulator's own certificate authority, and the certificate that all its services present."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.state import write_file

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_NAMES = (
    "localhost",
    "management.azure.com",
    "*.openai.azure.com",
    "*.cognitiveservices.azure.com",
    "*.postgres.database.azure.com",
    "*.writer.postgres.database.azure.com",
    "*.reader.postgres.database.azure.com",
)
_ADDRESSES = ("127.0.0.1",)
_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 397
_RENEW_DAYS = 30


class Certificates:
    """Files in the `tls` folder of a home."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca.pem"
        self.ca_key = folder / "ca.key"
        self.server = folder / "server.pem"
        self.server_key = folder / "server.key"
        self.bundle = folder / "bundle.pem"
        """The public authorities and the emulator's own, for clients that take one file."""

    def ensure(self) -> None:
        """Make what is missing, expired, or soon expired; leave the rest as it is.

        Raises:
            StateError: A file cannot be written.
        """
        if not self._valid():
            self._make()
        import certifi

        bundle = Path(certifi.where()).read_bytes().rstrip() + b"\n" + self.ca.read_bytes()
        if not self.bundle.exists() or self.bundle.read_bytes() != bundle:
            write_file(self.bundle, bundle, 0o644)

    def _valid(self) -> bool:
        if not all(path.exists() for path in (self.ca, self.ca_key, self.server, self.server_key)):
            return False
        from cryptography import x509

        soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=_RENEW_DAYS)
        try:
            found = [x509.load_pem_x509_certificate(path.read_bytes()) for path in (self.ca, self.server)]
        except ValueError:
            return False
        names = found[1].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = names.get_values_for_type(x509.DNSName)
        return known == list(_NAMES) and all(certificate.not_valid_after_utc > soon for certificate in found)

    def _make(self) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        authority = _authority(authority_key)
        server = _server(authority, authority_key, server_key)
        pem = serialization.Encoding.PEM
        for key, path in ((authority_key, self.ca_key), (server_key, self.server_key)):
            private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            write_file(path, private)
        write_file(self.ca, authority.public_bytes(pem), 0o644)
        write_file(self.server, server.public_bytes(pem) + authority.public_bytes(pem), 0o644)


def _builder(common_name: str, days: int) -> x509.CertificateBuilder:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    builder = _builder("postgres-genai emulator", _AUTHORITY_DAYS)
    return (
        builder.issuer_name(x509.Name(_subject("postgres-genai emulator")))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _subject(common_name: str) -> list[x509.NameAttribute[str]]:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]


def _server(
    authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    return (
        _builder("localhost", _SERVER_DAYS)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
