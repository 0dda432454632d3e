"""A small certificate authority for the TLS listeners of one federation: X.509 v3, NIST P-256."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federation.deployment.errors import InvalidName

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 825
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority: its certificate is public, its key signs server certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def certificate_pem(self) -> bytes:
        """Return the certificate that every client of the federation trusts, and no other."""
        return self.certificate.public_bytes(Encoding.PEM)


def new_authority(firm: str, *, now: datetime) -> Authority:
    """Make the firm's authority, valid for ten years from ``now`` (aware datetime)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{firm} infosandbox authority")
    certificate = (
        _builder(name, name, key.public_key(), now=now, days=_AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


def server_certificate(
    authority: Authority, name: str, hosts: Sequence[str], *, now: datetime
) -> tuple[bytes, bytes]:
    """Make a listener's certificate, valid for 825 days from ``now``.

    Args:
        authority: signs it.
        name: common name, 1 to 64 characters; public.
        hosts: host names and IP addresses clients use, besides loopback.
        now: aware datetime.

    Returns:
        The certificate and its private key, both PEM; the key is secret.

    Raises:
        InvalidName: a host is empty or not ASCII.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(
            _name(name), authority.certificate.subject, key.public_key(), now=now, days=_SERVER_DAYS
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_host(h) for h in dict.fromkeys((*LOOPBACK, *hosts))]),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), secret


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        if not host or not host.isascii():
            raise InvalidName(host) from None
        return x509.DNSName(host)
