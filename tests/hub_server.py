"""A Hub on 127.0.0.1: a test double that speaks the routes which the real `huggingface_hub` client asks.

    with HubServer() as hub:
        hub.add("user/name", folder, tags=["v3.0"])
        hub.fail("/resolve/", status=503, times=1)
        ...  # the client, with HF_ENDPOINT=hub.url
        assert hub.sent("data/") < 1000

It serves dataset repositories from memory: create, information, refs, tags, branches, tree (in pages), paths,
preupload, commit, LFS (batch, upload in one piece or in parts, verify), and files with ranges. As on the real
Hub, tables and videos are LFS files, whose content comes by a redirect from another origin, here a second
port.

What it does not imitate: Xet storage; models, spaces, buckets; pull requests; `expand`; gitignore; URLs
that expire; compressed answers; quotas and rate limits but those asked for by `fail`; histories (a commit has
no parent, a branch is its latest commit, every commit stays reachable); permissions finer than "any known
token may do everything". Commit ids are digests of names and contents, not Git's. Names are not checked, so
that a hostile repository can be served.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_LFS = (".parquet", ".mp4", ".png", ".safetensors", ".arrow")
"""Endings of files that are stored as LFS objects."""
_BLOCK = 1 << 16
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Asked:
    """One request, as the server sees it. What is sent is counted before a client can have it."""

    method: str
    path: str
    """Decoded path, without the query."""
    received: int
    """Bytes of the request's body."""
    token: str | None
    at_cdn: bool
    """True for requests to the origin of LFS contents."""
    status: int = 0
    sent: int = 0
    """Bytes of the body that were sent."""
    name: str | None = None
    """The repository's file whose content was asked for."""


@dataclass
class Repo:
    """One dataset repository."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit_of(self, revision: str) -> str | None:
        """The id of a branch, tag or commit; None if there is none."""
        found = self.tags.get(revision) or self.branches.get(revision)
        return found or (revision if revision in self.commits else None)

    def commit(self, branch: str, files: Mapping[str, bytes]) -> str:
        """Make these files the latest commit of a branch; returns its id."""
        digest = hashlib.sha1(str(len(self.commits)).encode())
        for name in sorted(files):
            digest.update(name.encode("utf-8", "surrogateescape") + files[name])
        commit = digest.hexdigest()
        self.commits[commit] = dict(files)
        self.branches[branch] = commit
        return commit


@dataclass
class _Fault:
    pattern: re.Pattern[str]
    methods: tuple[str, ...]
    times: int
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    delay_s: float = 0.0
    body: bytes = b'{"error": "as asked for by the test"}'


class HubServer:
    """A Hub that runs in threads of this process; a context manager."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        """LFS contents by SHA-256."""
        self.tokens: set[str] = set()
        """The tokens that private repositories and every change ask for; empty: changes need none."""
        self.asked: list[Asked] = []
        self.page = 1000
        """Entries of a page of a tree."""
        self.part_bytes: int | None = None
        """Size of the parts in which larger LFS contents are uploaded; None takes each in one piece."""
        self.parts: dict[tuple[str, int], bytes] = {}
        """Uploaded parts by SHA-256 of the whole and number of the part, from 1."""
        self.latency_s = 0.0
        """How long each answer waits."""
        self.bytes_per_s: float | None = None
        """Speed of the line that all answers share; None is as fast as it goes."""
        self._line_free_s = 0.0
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        hub = self

        class Front(_Handler):
            server_of = hub

        class Store(_Handler):
            server_of = hub
            at_cdn = True

        self._servers = [_Server(("127.0.0.1", 0), Front), _Server(("127.0.0.1", 0), Store)]
        self.url, self.cdn_url = (
            f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers
        )

    def __enter__(self) -> HubServer:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(
        self,
        repo_id: str,
        files: Path | Mapping[str, bytes],
        *,
        tags: Iterable[str] = (),
        branch: str = "main",
        private: bool = False,
        gated: bool = False,
    ) -> str:
        """Commit files, or those of a folder, to a repository, new or not; returns the commit."""
        repo = self.repos.setdefault(repo_id, Repo())
        repo.private, repo.gated = private, gated
        commit = repo.commit(branch, folder_files(files) if isinstance(files, Path) else files)
        repo.tags |= dict.fromkeys(tags, commit)
        for name, data in repo.commits[commit].items():
            if is_lfs(name):
                self.keep(name, data)
        return commit

    def keep(self, name: str, data: bytes) -> str:
        """Store an LFS content; returns its SHA-256."""
        sha = hashlib.sha256(data).hexdigest()
        with self._lock:
            self.objects[sha] = data
            self._names.setdefault(sha, name)
        return sha

    def name_of(self, sha: str) -> str | None:
        """The first file that had this content."""
        return self._names.get(sha)

    def fail(
        self,
        pattern: str,
        *,
        status: int,
        times: int = 1 << 30,
        methods: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Answer the next requests whose path matches with a status code."""
        fault = _Fault(re.compile(pattern), methods, times, status=status, headers=headers or {})
        self._faults.append(fault if body is None else _replaced(fault, body))

    def cut(
        self, pattern: str, *, after: int, times: int = 1 << 30, methods: tuple[str, ...] = ()
    ) -> None:
        """Close the connection after some bytes of the body; -1 closes it before any answer."""
        self._faults.append(_Fault(re.compile(pattern), methods, times, cut_after=after))

    def delay(self, pattern: str, *, seconds: float, times: int = 1 << 30) -> None:
        """Answer later."""
        self._faults.append(_Fault(re.compile(pattern), (), times, delay_s=seconds))

    def works(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def fault_of(self, method: str, path: str) -> _Fault | None:
        """The fault that a request meets; one less of it is left."""
        with self._lock:
            for fault in self._faults:
                meant = not fault.methods or method in fault.methods
                if fault.times > 0 and meant and fault.pattern.search(path):
                    fault.times -= 1
                    return fault
        return None

    def pace(self, size: int) -> None:
        """Wait until the line has taken so many bytes."""
        if self.bytes_per_s is None:
            return
        with self._lock:
            now = time.monotonic()
            self._line_free_s = max(now, self._line_free_s) + size / self.bytes_per_s
            wait = self._line_free_s - now
        time.sleep(wait)

    def note(self, asked: Asked) -> None:
        """Remember a request."""
        with self._lock:
            self.asked.append(asked)

    def forget(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self.asked.clear()

    def sent(self, prefix: str = "") -> int:
        """Bytes of the contents of files whose name starts with `prefix`."""
        return sum(one.sent for one in self.asked if one.name and one.name.startswith(prefix))

    def received(self, pattern: str = "^/upload/") -> int:
        """Bytes of the bodies of requests whose path matches; by default those of LFS contents."""
        return sum(one.received for one in self.asked if re.search(pattern, one.path))

    def fetched(self) -> set[str]:
        """Names of the files whose content was sent."""
        return {one.name for one in self.asked if one.name and one.method == "GET" and one.sent}


def _replaced(fault: _Fault, body: bytes) -> _Fault:
    fault.body = body
    return fault


def folder_files(folder: Path) -> dict[str, bytes]:
    """Content by name of all files below a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def is_lfs(name: str) -> bool:
    """True for a name whose content is an LFS object."""
    return name.endswith(_LFS)


def blob_id(data: bytes) -> str:
    """Git's id of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer(sha: str, size: int) -> bytes:
    """The file that Git has in place of an LFS object."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {size}\n".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is part of the tests."""


class _RefusedError(Exception):
    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    server_of: HubServer
    at_cdn = False
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    asked: Asked

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests are noted, not printed."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    @property
    def hub(self) -> HubServer:
        return self.server_of

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.query = parse_qs(parts.query, keep_blank_values=True)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.fault = self.hub.fault_of(self.command, path)
        if self.hub.latency_s:
            time.sleep(self.hub.latency_s)
        self.asked = Asked(self.command, path, len(body), self._token(), self.at_cdn)
        self.hub.note(self.asked)
        try:
            self._answer(path, body)
        except _RefusedError as refused:
            headers = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
            self._json(
                {"error": refused.message},
                status=refused.status,
                headers={key: value for key, value in headers.items() if value},
            )
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _token(self) -> str | None:
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        return token if scheme == "Bearer" else None

    def _answer(self, path: str, body: bytes) -> None:
        if self.fault is not None:
            time.sleep(self.fault.delay_s)
            if self.fault.status:
                self._send(self.fault.body, status=self.fault.status, headers=self.fault.headers)
                return
            if self.fault.cut_after is not None and self.fault.cut_after < 0:
                self.close_connection = True
                return
        if self.at_cdn:
            self._object(path.removeprefix("/lfs/"))
            return
        for pattern, method in _ROUTES:
            found = re.fullmatch(pattern, f"{self.command} {path}")
            if found:
                getattr(self, method)(body, **found.groupdict())
                return
        raise _RefusedError(404, "", f"no route for {self.command} {path}")

    # repositories

    def _repo(self, repo_id: str, *, writes: bool = False) -> Repo:
        known = self._token() in self.hub.tokens
        repo = self.hub.repos.get(repo_id)
        if self._token() is not None and self.hub.tokens and not known:
            raise _RefusedError(401, "", "Invalid credentials in Authorization header")
        if repo is None or (repo.private and not known):
            raise _RefusedError(404 if known else 401, "RepoNotFound", "Repository not found")
        if repo.gated and not known:
            raise _RefusedError(403, "GatedRepo", "Access to this dataset is restricted")
        if writes and self.hub.tokens and not known:
            raise _RefusedError(403, "", "You have no write access")
        return repo

    def _commit_of(self, repo: Repo, revision: str) -> str:
        commit = repo.commit_of(revision)
        if commit is None:
            raise _RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def _create(self, body: bytes) -> None:
        asked = json.loads(body)
        if self.hub.tokens and self._token() not in self.hub.tokens:
            raise _RefusedError(401, "", "Invalid username or password.")
        repo_id = f"{asked.get('organization') or 'user'}/{asked['name']}"
        url = {"url": f"{self.hub.url}/datasets/{repo_id}"}
        if repo_id in self.hub.repos:
            self._json({**url, "error": "You already created this dataset repo"}, status=409)
            return
        self.hub.repos[repo_id] = Repo(private=asked.get("visibility") == "private")
        self.hub.repos[repo_id].commit("main", {".gitattributes": b"*.mp4 filter=lfs\n"})
        self._json(url)

    def _who(self, body: bytes) -> None:
        if self._token() not in self.hub.tokens:
            raise _RefusedError(401, "", "Invalid username or password.")
        self._json({"type": "user", "name": "user", "orgs": [], "auth": {"type": "access_token"}})

    def _valid(self, body: bytes) -> None:
        self._json({"errors": [], "warnings": []})

    def _info(self, body: bytes, repo: str, revision: str = "main") -> None:
        found = self._repo(repo)
        commit = self._commit_of(found, revision)
        files = [{"rfilename": name} for name in sorted(found.commits[commit])]
        self._json(
            {
                "_id": "0",
                "id": repo,
                "sha": commit,
                "private": found.private,
                "gated": "auto" if found.gated else False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "siblings": files,
            }
        )

    def _refs(self, body: bytes, repo: str) -> None:
        found = self._repo(repo)
        kinds = {"branches": ("heads", found.branches), "tags": ("tags", found.tags)}
        listed = {
            kind: [
                {"name": name, "ref": f"refs/{place}/{name}", "targetCommit": commit}
                for name, commit in refs.items()
            ]
            for kind, (place, refs) in kinds.items()
        }
        self._json({**listed, "converts": []})

    def _tag(self, body: bytes, repo: str, revision: str) -> None:
        found = self._repo(repo, writes=True)
        if self.command == "DELETE":
            found.tags.pop(revision, None)
        else:
            tag = json.loads(body)["tag"]
            if tag in found.tags:
                raise _RefusedError(409, "", "Tag reference exists already")
            found.tags[tag] = self._commit_of(found, revision)
        self._json({})

    def _branch(self, body: bytes, repo: str, revision: str) -> None:
        found = self._repo(repo, writes=True)
        if self.command == "DELETE":
            found.branches.pop(revision, None)
        else:
            asked = json.loads(body or b"{}")
            if revision in found.branches:
                raise _RefusedError(409, "", "Reference already exists")
            found.branches[revision] = self._commit_of(found, asked.get("startingPoint") or "main")
        self._json({})

    # names, sizes, digests

    def _entry(self, name: str, data: bytes) -> dict[str, Any]:
        if not is_lfs(name):
            return {"type": "file", "oid": blob_id(data), "size": len(data), "path": name}
        sha = hashlib.sha256(data).hexdigest()
        text = pointer(sha, len(data))
        lfs = {"oid": sha, "size": len(data), "pointerSize": len(text)}
        return {
            "type": "file",
            "oid": blob_id(text),
            "size": len(data),
            "path": name,
            "lfs": lfs,
        }

    def _folder(self, path: str) -> dict[str, Any]:
        oid = hashlib.sha1(path.encode()).hexdigest()
        return {"type": "directory", "oid": oid, "size": 0, "path": path}

    def _tree(self, body: bytes, repo: str, revision: str, folder: str | None = None) -> None:
        found = self._repo(repo)
        files = found.commits[self._commit_of(found, revision)]
        prefix = f"{folder}/" if folder else ""
        below = {name: data for name, data in files.items() if name.startswith(prefix)}
        if folder and not below:
            raise _RefusedError(404, "EntryNotFound", f"{folder} does not exist")
        deep = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        inner = {prefix + part for name in below for part in _folders(name, prefix)}
        entries = [self._folder(path) for path in inner if deep or "/" not in path[len(prefix) :]]
        entries += [
            self._entry(name, data)
            for name, data in below.items()
            if deep or "/" not in name[len(prefix) :]
        ]
        entries.sort(key=lambda entry: str(entry["path"]))
        start = int(self.query.get("cursor", ["0"])[0])
        stop = start + self.hub.page
        headers = {}
        if stop < len(entries):
            path, _, _ = self.path.partition("?")
            query = f"recursive={str(deep).lower()}&cursor={stop}"
            headers["Link"] = f'<{self.hub.url}{path}?{query}>; rel="next"'
        self._json(entries[start:stop], headers=headers)

    def _paths(self, body: bytes, repo: str, revision: str) -> None:
        found = self._repo(repo)
        files = found.commits[self._commit_of(found, revision)]
        if "json" in (self.headers.get("Content-Type") or ""):
            wanted = json.loads(body)["paths"]
        else:
            wanted = parse_qs(body.decode())["paths"]
        entries = [self._entry(name, files[name]) for name in wanted if name in files]
        entries += [
            self._folder(path)
            for path in wanted
            if path not in files and any(name.startswith(f"{path}/") for name in files)
        ]
        self._json(entries)

    # contents

    def _resolve(self, body: bytes, repo: str, revision: str, name: str) -> None:
        found = self._repo(repo)
        commit = self._commit_of(found, revision)
        data = found.commits[commit].get(name)
        if data is None:
            raise _RefusedError(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": commit}
        if not is_lfs(name):
            self.asked.name = name
            self._content(data, {**headers, "ETag": f'"{blob_id(data)}"'})
            return
        sha = hashlib.sha256(data).hexdigest()
        linked = {"X-Linked-Etag": f'"{sha}"', "X-Linked-Size": str(len(data))}
        target = {"Location": f"{self.hub.cdn_url}/lfs/{sha}"}
        self._send(b"", status=302, headers={**headers, **linked, **target})

    def _object(self, sha: str) -> None:
        data = self.hub.objects.get(sha)
        if data is None:
            raise _RefusedError(404, "", "no such object")
        self.asked.name = self.hub.name_of(sha)
        self._content(data, {"ETag": f'"{sha}"'})

    def _content(self, data: bytes, headers: Mapping[str, str]) -> None:
        found = _RANGE.fullmatch(self.headers.get("Range") or "")
        if found is None:
            self._send(data, headers={**headers, "Accept-Ranges": "bytes"})
            return
        start, stop = int(found[1]), min(int(found[2] or len(data) - 1) + 1, len(data))
        if start >= len(data):
            self._send(b"", status=416, headers={"Content-Range": f"bytes */{len(data)}"})
            return
        span = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        self._send(data[start:stop], status=206, headers={**headers, **span})

    # changes

    def _preupload(self, body: bytes, repo: str, revision: str) -> None:
        found = self._repo(repo, writes=True)
        commit = found.commit_of(revision)
        files = found.commits[commit] if commit else {}
        modes = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if is_lfs(one["path"]) else "regular",
                "shouldIgnore": False,
                "oid": self._oid(one["path"], files),
            }
            for one in json.loads(body)["files"]
        ]
        self._json({"files": modes})

    def _oid(self, name: str, files: Mapping[str, bytes]) -> str | None:
        data = files.get(name)
        if data is None:
            return None
        return hashlib.sha256(data).hexdigest() if is_lfs(name) else blob_id(data)

    def _batch(self, body: bytes, repo: str) -> None:
        self._repo(repo, writes=True)
        answers = []
        for one in json.loads(body)["objects"]:
            href = f"{self.hub.url}/upload/{one['oid']}"
            upload = {"href": href, **self._in_parts(href, one["size"])}
            actions = {"upload": upload, "verify": {"href": f"{href}/verify"}}
            known = {} if one["oid"] in self.hub.objects else {"actions": actions}
            answers.append({"oid": one["oid"], "size": one["size"], **known})
        kind = "basic" if self.hub.part_bytes is None else "multipart"
        self._json({"transfer": kind, "objects": answers})

    def _in_parts(self, href: str, size: int) -> dict[str, Any]:
        """Where the parts of a large content go: nothing for a content that goes in one piece."""
        part = self.hub.part_bytes
        if part is None or size <= part:
            return {}
        urls = {f"{n + 1:05d}": f"{href}/part/{n + 1}" for n in range(-(-size // part))}
        return {"header": {"chunk_size": str(part), **urls}}

    def _upload_part(self, body: bytes, sha: str, number: str) -> None:
        self.hub.parts[sha, int(number)] = body
        self._send(b"", headers={"ETag": f'"{number}"'})

    def _join_parts(self, body: bytes, sha: str) -> None:
        numbers = [one["partNumber"] for one in json.loads(body)["parts"]]
        self._upload(b"".join(self.hub.parts[sha, number] for number in numbers), sha)

    def _upload(self, body: bytes, sha: str) -> None:
        if hashlib.sha256(body).hexdigest() != sha:
            raise _RefusedError(400, "", "the content has another SHA-256")
        self.hub.keep(sha, body)
        self._send(b"")

    def _verify(self, body: bytes, sha: str) -> None:
        if len(self.hub.objects.get(sha, b"")) != json.loads(body)["size"]:
            raise _RefusedError(404, "", "the object is not there")
        self._json({})

    def _commit(self, body: bytes, repo: str, revision: str) -> None:
        found = self._repo(repo, writes=True)
        parent = found.commit_of(revision)
        if revision not in found.branches:
            raise _RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files = dict(found.commits[parent]) if parent else {}
        for line in body.splitlines():
            entry = json.loads(line)
            self._change(files, entry["key"], entry["value"], parent)
        commit = found.commit(revision, files)
        url = f"{self.hub.url}/datasets/{repo}/commit/{commit}"
        self._json({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _change(
        self, files: dict[str, bytes], key: str, value: Mapping[str, Any], parent: str | None
    ) -> None:
        if key == "header" and value.get("parentCommit") not in (None, parent):
            raise _RefusedError(
                412, "", "A commit has happened since. Please refresh and try again."
            )
        if key == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            if value["oid"] not in self.hub.objects:
                raise _RefusedError(400, "", "LFS object was not uploaded")
            files[value["path"]] = self.hub.objects[value["oid"]]
            self.hub._names[value["oid"]] = value["path"]
        elif key in ("deletedFile", "deletedFolder"):
            path = value["path"].rstrip("/")
            gone = [name for name in files if name == path or name.startswith(f"{path}/")]
            if not gone:
                raise _RefusedError(404, "EntryNotFound", "A file with this name doesn't exist")
            for name in gone:
                del files[name]

    # answers

    def _json(
        self, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        kind = {"Content-Type": "application/json; charset=utf-8"}
        self._send(json.dumps(value).encode(), status=status, headers={**kind, **(headers or {})})

    def _send(
        self, data: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.asked.status = status
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = None if self.fault is None else self.fault.cut_after
        shown = data if limit is None else data[:limit]
        for start in range(0, len(shown), _BLOCK):
            block = shown[start : start + _BLOCK]
            self.hub.pace(len(block))
            self.asked.sent += len(block)
            self.wfile.write(block)
        if len(shown) < len(data):
            self.wfile.flush()
            self.close_connection = True


def _folders(name: str, prefix: str) -> list[str]:
    """The folders of a file below `prefix`, relative to it."""
    parts = name[len(prefix) :].split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


_ID = r"(?P<repo>[^/]+/[^/]+)"
_REVISION = r"(?P<revision>refs/pr/\d+|[^/]+)"
_ROUTES = [
    (r"POST /api/repos/create", "_create"),
    (r"GET /api/whoami-v2", "_who"),
    (r"POST /api/validate-yaml", "_valid"),
    (rf"GET /api/datasets/{_ID}/refs", "_refs"),
    (rf"GET /api/datasets/{_ID}/tree/{_REVISION}(/(?P<folder>.+))?", "_tree"),
    (rf"POST /api/datasets/{_ID}/paths-info/{_REVISION}", "_paths"),
    (rf"POST /api/datasets/{_ID}/preupload/{_REVISION}", "_preupload"),
    (rf"POST /api/datasets/{_ID}/commit/{_REVISION}", "_commit"),
    (rf"(POST|DELETE) /api/datasets/{_ID}/tag/{_REVISION}", "_tag"),
    (rf"(POST|DELETE) /api/datasets/{_ID}/branch/{_REVISION}", "_branch"),
    (rf"GET /api/datasets/{_ID}/revision/{_REVISION}", "_info"),
    (rf"GET /api/datasets/{_ID}", "_info"),
    (rf"POST /datasets/{_ID}\.git/info/lfs/objects/batch", "_batch"),
    (r"PUT /upload/(?P<sha>[0-9a-f]{64})", "_upload"),
    (r"PUT /upload/(?P<sha>[0-9a-f]{64})/part/(?P<number>[0-9]+)", "_upload_part"),
    (r"POST /upload/(?P<sha>[0-9a-f]{64})", "_join_parts"),
    (r"POST /upload/(?P<sha>[0-9a-f]{64})/verify", "_verify"),
    (rf"(GET|HEAD) /datasets/{_ID}/resolve/{_REVISION}/(?P<name>.+)", "_resolve"),
]
