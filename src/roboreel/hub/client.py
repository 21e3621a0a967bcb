"""The only door to `huggingface_hub`, and what its failures mean.

Functions of the client are looked up when they are called, so that programs can replace them. Failures are
told apart by class name and status code: the classes have moved between the client's releases.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from roboreel.errors import HubError, MissingDependencyError, RoboreelError, StorageError
from roboreel.hub.environment import endpoint, host, is_offline, page_of
from roboreel.hub.reference import HubReference

Token = str | bool | None
"""A token, True to use the stored token, False to use none; None leaves the choice to the client."""

_AGAIN = "try again. Files that already arrived are kept"
_NETWORK_MODULES = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "requests",
    "urllib3",
    "socket",
    "ssl",
)
_BREAKS = frozenset(
    {"ChunkedEncodingError", "IncompleteRead", "ReadError", "ReadTimeout", "RemoteProtocolError"}
)
"""Names of errors of connections that worked before."""
_ATTEMPTS = 5
_LONGEST_WAIT_S = 300.0
_Result = TypeVar("_Result")
_LOG_IN = "set HF_TOKEN, or run 'hf auth login'"


class BrokenConnectionError(HubError):
    """A connection broke in the middle of an answer; the next attempt may succeed."""


class BusyError(HubError):
    """The Hub gets too many requests (429) or has a server error (5xx); a later attempt may succeed."""

    wait_s: float | None = None
    """How long the Hub asks to wait, in seconds; None if it does not say."""


class ConflictError(HubError):
    """Someone else changed the branch in the meantime."""


def library(reference: str = "") -> Any:
    """The module `huggingface_hub`.

    Args:
        reference: what is wanted from the Hub, for the message.

    Raises:
        MissingDependencyError: the extra `hub` isn't installed.
    """
    try:
        import huggingface_hub
        import huggingface_hub.utils  # a submodule that the package doesn't load by itself
    except ImportError as error:
        purpose = f"for '{reference}' on the Hub" if reference else "to use the Hub"
        raise MissingDependencyError("huggingface_hub", extra="hub", purpose=purpose) from error
    return huggingface_hub


def api(token: Token = None) -> Any:
    """An `HfApi` for the endpoint that the environment names."""
    return library().HfApi(endpoint=endpoint(), token=token, library_name="roboreel")


@contextlib.contextmanager
def quiet(reference: HubReference) -> Iterator[None]:
    """Switch off what the client prints inside the block: a bar per file, and each of its attempts.

    The last failure becomes an error of ours. Messages about attempts have signed URLs: whoever reads a log
    could fetch files of a private dataset by them. `HF_HUB_VERBOSITY` switches the messages on again.
    """
    tools = library(str(reference)).utils
    log, verbosity = tools.logging, tools.logging.get_verbosity()
    # the client warns where the environment has the last word on its bars
    bars = "HF_HUB_DISABLE_PROGRESS_BARS" in os.environ or tools.are_progress_bars_disabled()
    if not bars:
        tools.disable_progress_bars()
    if "HF_HUB_VERBOSITY" not in os.environ:
        log.set_verbosity_error()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if not bars:
            tools.enable_progress_bars()


@contextlib.contextmanager
def asking(reference: HubReference) -> Iterator[None]:
    """Turn a failure of the client inside the block into one clear error.

    Raises:
        HubError: the Hub can't be reached, or refused.
        StorageError: the local disk failed.
    """
    if is_offline():
        raise HubError(_offline(reference))
    try:
        yield
    except RoboreelError:
        raise
    except Exception as error:
        explained = _explained(error, reference)
        if explained is None:
            raise
        raise explained from error


def retried(attempt: Callable[[], _Result]) -> _Result:
    """The result of an attempt; made again where the Hub was busy or a connection broke, after a pause.

    Args:
        attempt: begins by asking what the Hub has: it may have done what an earlier attempt asked for.

    Raises:
        HubError: the last attempt failed, or the Hub asks to wait for long.
    """
    for number in range(1, _ATTEMPTS):
        try:
            return attempt()
        except (BusyError, BrokenConnectionError) as error:
            wait: float | None = getattr(error, "wait_s", None)
            if wait is not None and wait > _LONGEST_WAIT_S:
                raise
            time.sleep(2.0**number if wait is None else wait)
    return attempt()


def _explained(error: BaseException, reference: HubReference) -> RoboreelError | None:
    """What a failure means; None if it is none of the Hub's, the network's or the disk's."""
    for one in _chain(error):
        message = _by_class(one, reference)
        explained = _by_status(one, reference) if message is None else HubError(message)
        if explained is not None:
            return explained
    if any(_is_network(one) for one in _chain(error)):
        broke = any(type(one).__name__ in _BREAKS for one in _chain(error))
        return (BrokenConnectionError if broke else HubError)(
            f"'{reference}': cannot reach {host()}, or the connection broke"
            f" ({type(error).__name__}): check the network, proxies and HF_ENDPOINT, then {_AGAIN}"
        )
    if isinstance(error, OSError) and error.errno is not None:
        return StorageError(f"'{error.filename or reference}': {error.strerror}")
    if isinstance(error, (OSError, ValueError)):
        return HubError(f"'{reference}': the answer of {host()} cannot be read: {_AGAIN}")
    return None


def _by_class(error: BaseException, reference: HubReference) -> str | None:
    names = {one.__name__ for one in type(error).__mro__}
    repo = reference.repo_id
    if "OfflineModeIsEnabled" in names:
        return _offline(reference)
    if "GatedRepoError" in names:
        return (
            f"access to '{repo}' on {host()} is restricted: accept its conditions at {page_of(repo)},"
            f" then {_LOG_IN}"
        )
    if "RevisionNotFoundError" in names:
        return f"'{repo}' on {host()} has no revision '{reference.revision}': see {page_of(repo)}"
    if "RepositoryNotFoundError" in names:
        return (
            f"there is no dataset '{repo}' on {host()}, or it is private: check the name, or for a private"
            f" dataset {_LOG_IN}"
        )
    if "LocalTokenNotFoundError" in names:
        return f"'{repo}': no token is stored on this machine: {_LOG_IN}"
    return None


def _by_status(error: BaseException, reference: HubReference) -> HubError | None:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if not isinstance(status, int):
        return None
    message = f"'{reference}': {_of_status(status)}"
    if status == 429 or status >= 500:
        busy = BusyError(message)
        wait = str(getattr(response, "headers", {}).get("Retry-After") or "")
        busy.wait_s = float(wait) if wait.isdigit() else None
        return busy
    return (ConflictError if status in (409, 412) else HubError)(message)


def _of_status(status: int) -> str:
    if status == 401:
        return f"{host()} does not accept the token (status 401): {_LOG_IN}"
    if status == 403:
        return (
            f"{host()} refuses access (status 403): use a token with read access to this dataset, or write"
            " access to push"
        )
    if status == 404:
        return f"not found on {host()} (status 404): check the name and the revision"
    if status in (409, 412):
        return (
            f"the branch on {host()} was changed by someone else during this call (status {status}):"
            " check the changes, then try again"
        )
    if status == 429:
        return (
            f"too many requests to {host()} (status 429): wait a few minutes, then {_AGAIN}. With a token"
            " the limit is higher"
        )
    if status >= 500:
        return f"{host()} has a server error (status {status}): wait a while, then {_AGAIN}"
    return f"{host()} refused the request (status {status})"


def _offline(reference: HubReference) -> str:
    return (
        f"'{reference}' cannot be downloaded: HF_HUB_OFFLINE is set. Unset it, or pull the dataset on a"
        " machine with network access first"
    )


def _is_network(error: BaseException) -> bool:
    modules = {one.__module__.partition(".")[0] for one in type(error).__mro__}
    broken = isinstance(error, (ConnectionError, TimeoutError))
    short = isinstance(error, OSError) and "Consistency check failed" in str(error)
    return broken or short or bool(modules.intersection(_NETWORK_MODULES))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
