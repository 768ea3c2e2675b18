"""XML of strangers: read whole, and only without a document type.

A document type may hold entities that grow a small document to gigabytes. Its `<!DOCTYPE` is searched as ASCII. The one
encoding that expat reads and that spells it otherwise is UTF-16, with a NUL beside each letter; so NULs are refused as well.

Sources: XML 1.0, 2.8 and 4.3.3; expat, xmltok.c: an encoding of the caller's must leave ASCII as it is.
"""

from __future__ import annotations

from xml.etree import ElementTree


def parse_plain(document: bytes) -> ElementTree.Element:
    """The document's root. Raises ValueError in words."""
    if b"<!DOCTYPE" in document:
        raise ValueError("a document type is not read")
    if b"\0" in document:
        raise ValueError("a NUL, as in UTF-16, is not read: it may hide a document type")
    try:
        return ElementTree.fromstring(document)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the latter: encodings that Python lacks
        raise ValueError(str(error)) from None
