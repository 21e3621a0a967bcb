"""A dataset on a web server: what is listed, what is read, what is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.errors import ChangedInputError, StorageError
from roboreel.storage.remote.http_root import HttpRoot
from roboreel.storage.video.packet_index import INDEX_FILE
from roboreel.testing import make_dataset
from tests.hub_client import Impatient
from tests.unit.clips import av1, h264, hevc, mpeg4, write_clip


class _Ranges(SimpleHTTPRequestHandler):
    """Folders as pages, files by ranges."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir() and getattr(self.server, "hides_folders", False):
            self.send_error(403)
        elif "Range" not in self.headers or not path.is_file():
            super().do_GET()
        else:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            data = path.read_bytes()
            part = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.send_header("ETag", f'"{hash(data)}"')
            self.end_headers()
            self.wfile.write(part)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hides_folders = False


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path, _Server]]:
    """(URL, folder, server) of a dataset."""
    folder = make_dataset(tmp_path / "my data", version="v3.0", episodes=(6, 9), fps=10)
    with _Server(("127.0.0.1", 0), partial(_Ranges, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/my%20data", folder, server
        server.shutdown()


def require_same(url: str, folder: Path) -> None:
    found = roboreel.reader(roboreel.open_remote(url)).batch([14, 0, 7])
    expected = roboreel.reader(roboreel.open(folder)).batch([14, 0, 7])
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_pages_of_folders_name_the_files(served: tuple[str, Path, _Server]) -> None:
    url, folder, _ = served
    root = HttpRoot(url)
    expected = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert list(root.list()) == expected
    assert root.stat("meta/info.json").size_bytes == (folder / "meta/info.json").stat().st_size
    require_same(url, folder)


def test_an_index_beside_it_stands_in_for_pages(served: tuple[str, Path, _Server]) -> None:
    url, folder, server = served
    server.hides_folders = True
    with pytest.raises(StorageError, match=r"does not list this folder: put a packet index"):
        roboreel.open_remote(url)
    report = roboreel.index_packets(folder, folder / INDEX_FILE)
    assert (report.videos, report.unreadable) == (2, {})
    require_same(url, folder)


def test_a_video_that_changed_since_is_refused_by_name(served: tuple[str, Path, _Server]) -> None:
    url, folder, _ = served
    roboreel.index_packets(folder, folder / INDEX_FILE)
    video = next(folder.rglob("*.mp4"))
    video.write_bytes(video.read_bytes() + b"more")
    with pytest.raises(ChangedInputError, match=rf"{video.name}.*roboreel index"):
        roboreel.reader(roboreel.open_remote(url)).batch([0])


CODERS = {"h264": h264(2), "hevc": hevc(2, 0), "av1": av1(2), "mpeg4": mpeg4(2, 0)}


@pytest.mark.parametrize("frames", [15, 17])
@pytest.mark.parametrize("codec", CODERS)
def test_a_video_of_the_same_size_that_took_its_place_gives_no_wrong_frames(
    codec: str, frames: int, served: tuple[str, Path, _Server], tmp_path: Path
) -> None:
    """Refused where the index is used; of MPEG-4, whose packets would not tell, it is not used."""
    url, folder, _ = served
    name = "observation.images.top"
    (video,) = folder.glob(f"videos/{name}/**/*.mp4")
    other = tmp_path / "other.mp4"
    write_clip(video, 15, CODERS[codec], scene=1, fps=Fraction(10))
    write_clip(other, frames, CODERS[codec], scene=2, fps=Fraction(10))
    size_bytes = max(video.stat().st_size, other.stat().st_size) + 8
    for path in (video, other):
        _pad(path, size_bytes)
    roboreel.index_packets(folder, folder / INDEX_FILE)
    require_same(url, folder)
    other.replace(video)
    refused: list[str] = []
    for item in range(15):
        reader = roboreel.reader(roboreel.open_remote(url), cameras=[name])
        try:
            found = reader.batch([item])
        except ChangedInputError as error:
            refused.append(str(error))
            continue
        expected = roboreel.reader(roboreel.open(folder), cameras=[name]).batch([item])
        assert np.array_equal(found[name], expected[name])
    assert not refused if codec == "mpeg4" else len(refused) > 10
    assert all("has changed since its packet index was made" in one for one in refused)


def _pad(path: Path, size_bytes: int) -> None:
    data = path.read_bytes()
    left = size_bytes - len(data)
    path.write_bytes(data + left.to_bytes(4, "big") + b"free" + bytes(left - 8))


def test_a_file_that_changes_while_it_is_read_is_refused(
    served: tuple[str, Path, _Server],
) -> None:
    url, folder, _ = served
    root, name = HttpRoot(url), "meta/info.json"
    size = root.stat(name).size_bytes
    root.ranges(name, [(0, 3)])
    (folder / name).write_bytes(bytes(size))
    with pytest.raises(ChangedInputError, match="has changed while it was read"):
        root.ranges(name, [(0, 3)])


def test_what_is_not_there_is_named(served: tuple[str, Path, _Server]) -> None:
    root = HttpRoot(served[0])
    assert not root.exists("meta/nothing.json")
    with pytest.raises(StorageError, match=r"'meta/nothing.json' in 'http.*no such file"):
        root.stat("meta/nothing.json")


def test_a_server_that_cannot_be_reached_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roboreel.storage.remote.http_client.time", Impatient())
    with pytest.raises(StorageError, match=r"'http://127.0.0.1:1/.*cannot be reached"):
        roboreel.open_remote("http://127.0.0.1:1/dataset")
