"""Which names the stores' drivers take for what they are."""

from __future__ import annotations

# fsspec reads a chain of stores, s3fs and adlfs read a version.
_SIGNS = ("::", "?versionId=", "?versionid=")
# Airflow drops these at the end.
_ENDS = ("#", "?")


def is_addressable(name: str) -> bool:
    """
    Tell whether a name reaches the object of that name, and no other, in every store.

    :param name: an address, or the part of one up to its end
    """
    return not name.endswith(_ENDS) and not any(sign in name for sign in _SIGNS)
