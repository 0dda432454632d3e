"""The Flower App Bundle (FAB) of this product: the names of installed apps, and no code."""

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile, ZipInfo

BUNDLE = Path(__file__).parents[1] / "fab" / "pyproject.toml"
"""The product's bundle: names of installed apps, no code."""


def build_bundle(pyproject: Path = BUNDLE) -> bytes:
    """Zip a bundle that is one ``pyproject.toml``; the same file gives the same bytes anywhere."""
    content = pyproject.read_bytes()
    manifest = f"pyproject.toml,{sha256(content).hexdigest()},{8 * len(content)}"
    buffer = BytesIO()
    with ZipFile(buffer, "w") as bundle:  # stored, not compressed: compressors differ
        for name, text in (("pyproject.toml", content), (".info/CONTENT", manifest.encode())):
            bundle.writestr(ZipInfo(name), text)
    return buffer.getvalue()


def bundle_digest(bundle: bytes) -> str:
    """SHA-256 of a bundle in hex: what a department's allow-list names."""
    return sha256(bundle).hexdigest()
