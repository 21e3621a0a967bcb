"""What the failures of object stores mean, and what to do about them. Pure."""

from __future__ import annotations

from roboreel.errors import MissingDependencyError

_CLIENTS = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gcs"),
    "gcs": ("gcsfs", "gcs"),
}
"""The package that reads the URLs of a scheme, and the extra that brings it."""
_CREDENTIALS = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a public bucket"
    " FSSPEC_S3_ANON=true",
    "gs": "run 'gcloud auth application-default login', or set GOOGLE_APPLICATION_CREDENTIALS; for a public"
    " bucket FSSPEC_GS_TOKEN=anon",
}
_NO_CREDENTIALS = {
    "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "DefaultCredentialsError",
    "TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError",
}  # fmt: skip
_UNREACHABLE = (
    "Connect",
    "Connection",
    "Timeout",
    "ServerDisconnected",
    "Payload",
    "IncompleteRead",
)
"""What the names of exceptions contain that tell of the network."""


def missing_client(url: str) -> MissingDependencyError | None:
    """The error for a store whose client is not installed; None for a scheme without an extra of ours."""
    known = _CLIENTS.get(url.partition("://")[0])
    if known is None:
        return None
    return MissingDependencyError(known[0], extra=known[1], purpose=f"for '{url}'")


def said_of(error: BaseException, what: str, url: str) -> str:
    """A message about a failure of a store's client.

    Args:
        error: what the client raised.
        what: what could not be read or written.
        url: where it is, which tells the kind of store.
    """
    kind = "gs" if url.startswith("g") else "s3"
    name, text = type(error).__name__, str(error).strip() or type(error).__name__
    if isinstance(error, FileNotFoundError):
        bucket = f" ({text})" if "bucket" in text.lower() else ""
        return f"{what}: no such file{bucket}"
    if name in _NO_CREDENTIALS:
        return f"{what}: no credentials ({text}): {_CREDENTIALS[kind]}"
    if isinstance(error, PermissionError):
        return (
            f"{what}: access denied ({text}): the credentials in use may not do this; others:"
            f" {_CREDENTIALS[kind]}"
        )
    if isinstance(error, (ConnectionError, TimeoutError)) or any(
        one in name for one in _UNREACHABLE
    ):
        return f"{what}: the store cannot be reached, or the connection was cut ({text}): try again"
    return f"{what}: {text}"
