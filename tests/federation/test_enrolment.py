"""Enrolment: each key once, where only its owner reads it."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_private_key,
)

from federation.deployment.certificates import new_authority, server_certificate
from federation.deployment.enrolment import ALIGNMENT_KEY_LABEL, Enrolment, enrol
from federation.deployment.errors import AlreadyEnrolled, InvalidName
from federation.errors import WrongSignature
from federation.roster import Roster, open_roster
from federation.sealing import open_sealed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = ["risk", "research", "advisory"]


@pytest.fixture(scope="module")
def enrolment(tmp_path_factory: pytest.TempPathFactory) -> Enrolment:
    return enrol("Demo Firm", NAMES, tmp_path_factory.mktemp("enrolment") / "keys", now=NOW)


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def roster_of(enrolment: Enrolment, place: Path) -> Roster:
    root = load_pem_public_key((enrolment.folder / "firm" / "root.pub").read_bytes())
    assert isinstance(root, Ed25519PublicKey)
    return open_roster((place / "roster.signed").read_bytes(), root)


def alignment_key(enrolment: Enrolment, department: str) -> bytes:
    place = enrolment.department(department)
    sealing = load_pem_private_key((place / "sealing.key").read_bytes(), None)
    assert isinstance(sealing, X25519PrivateKey)
    sealed = roster_of(enrolment, place).keys_of(department).alignment_key_sealed
    return open_sealed(sealing, sealed, label=ALIGNMENT_KEY_LABEL)


def places_of(secret: bytes, enrolment: Enrolment) -> list[str]:
    return sorted(
        str(path.relative_to(enrolment.folder))
        for path in files(enrolment.folder)
        if secret in path.read_bytes()
    )


def test_nobody_else_may_read_anything(enrolment: Enrolment) -> None:
    assert enrolment.folder.stat().st_mode & 0o777 == 0o700
    for path in enrolment.folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_every_party_holds_the_same_signed_roster(enrolment: Enrolment) -> None:
    places = [enrolment.coordinator, enrolment.consent, *map(enrolment.department, NAMES)]
    rosters = {roster_of(enrolment, place).digest() for place in places}
    pins = {(place / "root.pub").read_bytes() for place in places}
    assert len(rosters) == len(pins) == 1


def test_another_firms_root_does_not_open_the_roster(enrolment: Enrolment) -> None:
    stranger = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(WrongSignature):
        open_roster((enrolment.coordinator / "roster.signed").read_bytes(), stranger)


def test_the_roster_names_each_private_keys_public_half(enrolment: Enrolment) -> None:
    roster = roster_of(enrolment, enrolment.coordinator)
    assert roster.names == tuple(sorted(NAMES))
    for name in NAMES:
        place, keys = enrolment.department(name), roster.keys_of(name)
        identity = load_pem_private_key((place / "identity.key").read_bytes(), None)
        assert isinstance(identity, Ed25519PrivateKey)
        assert identity.public_key().public_bytes_raw() == keys.identity
        flower = load_ssh_private_key((place / "flower.key").read_bytes(), None)
        assert isinstance(flower, ec.EllipticCurvePrivateKey)
        assert flower.curve.name == "secp384r1"
        public = flower.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        assert public.decode() == keys.flower
    for key, place in (
        (roster.coordinator, enrolment.coordinator / "permit.key"),
        (roster.consent, enrolment.consent / "consent.key"),
    ):
        private = load_pem_private_key(place.read_bytes(), None)
        assert isinstance(private, Ed25519PrivateKey)
        assert private.public_key().public_bytes_raw() == key


def test_departments_share_an_alignment_key_that_stands_in_no_file(enrolment: Enrolment) -> None:
    keys = {alignment_key(enrolment, name) for name in NAMES}
    assert len(keys) == 1
    (key,) = keys
    assert len(key) == 32
    assert places_of(key, enrolment) == []


def test_a_pseudonym_key_is_known_to_its_department_and_the_consent_service_only(
    enrolment: Enrolment,
) -> None:
    for name in NAMES:
        key = (enrolment.department(name) / "pseudonym.key").read_bytes()
        assert len(key) == 32
        expected = [f"consent/pseudonyms/{name}.key", f"departments/{name}/pseudonym.key"]
        assert places_of(key, enrolment) == expected


def test_every_other_private_key_stands_in_one_file(enrolment: Enrolment) -> None:
    secrets = [
        path
        for path in files(enrolment.folder)
        if path.suffix in {".key", ".token", ".secret"} and path.name != "pseudonym.key"
        if path.parent.name != "pseudonyms"
    ]
    assert len(secrets) == 2 + 4 + 3 + 5 * len(NAMES)
    for path in secrets:
        assert places_of(path.read_bytes(), enrolment) == [str(path.relative_to(enrolment.folder))]


def test_an_enrolment_is_never_overwritten(enrolment: Enrolment) -> None:
    before = {path: path.read_bytes() for path in files(enrolment.folder)}
    with pytest.raises(AlreadyEnrolled) as caught:
        enrol("Demo Firm", NAMES, enrolment.folder, now=NOW)
    assert caught.value.folder == enrolment.folder
    assert {path: path.read_bytes() for path in files(enrolment.folder)} == before


def test_a_failed_enrolment_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InvalidName):
        enrol("Demo Firm", NAMES, tmp_path / "keys", now=NOW, hosts=["höst"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "names",
    [["risk"], [], ["risk", "risk"], ["risk", "Research"], ["risk", "../firm"], ["risk", ""]],
)
def test_departments_that_cannot_stand_in_a_path_are_refused(
    names: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InvalidName):
        enrol("Demo Firm", names, tmp_path / "keys", now=NOW)


def shake_hands(authority: bytes, certificate: Path, key: Path, host: str) -> None:
    """Do a TLS handshake in memory; raise ssl.SSLError if the client does not trust the server."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.load_verify_locations(cadata=authority.decode())
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(down, up, server_hostname=host)
    server = server_side.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() == "TLSv1.3"


@pytest.fixture
def current(tmp_path: Path) -> Enrolment:
    """An enrolment of today: a TLS library reads the real clock."""
    return enrol("Demo Firm", NAMES, tmp_path / "keys", now=datetime.now(UTC), hosts=["link.firm"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "link.firm"])
def test_clients_trust_the_superlink_under_each_of_its_names(current: Enrolment, host: str) -> None:
    place = current.coordinator
    authority = (place / "ca.crt").read_bytes()
    shake_hands(authority, place / "superlink.crt", place / "superlink.key", host)


def test_clients_trust_no_other_name_and_no_other_authority(current: Enrolment) -> None:
    place = current.coordinator
    authority = (place / "ca.crt").read_bytes()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority, place / "superlink.crt", place / "superlink.key", "other.firm")
    stranger = new_authority("Other Firm", now=datetime.now(UTC)).certificate_pem()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(stranger, place / "superlink.crt", place / "superlink.key", "localhost")


def test_an_expired_certificate_is_not_trusted(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=826)
    authority = new_authority("Demo Firm", now=long_ago)
    certificate, key = server_certificate(authority, "superlink", (), now=long_ago)
    (tmp_path / "crt").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority.certificate_pem(), tmp_path / "crt", tmp_path / "key", "localhost")
