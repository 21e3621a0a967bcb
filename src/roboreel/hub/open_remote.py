"""Open a dataset where it is, on the Hub or a web server, without downloading it."""

from __future__ import annotations

import os
from dataclasses import replace

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import dataset_below
from roboreel.hub.client import Token
from roboreel.hub.hub_root import HubRoot
from roboreel.hub.open_reference import is_here, open_reference
from roboreel.hub.reference import parse_reference


def open_remote(location: str | os.PathLike[str], *, token: Token = None) -> Dataset:
    """Open a dataset where it is: rows and frames are read by ranges as they are needed; nothing is stored.

    Readers need one request for the packets of a frame if the dataset has a packet index: `index_packets`
    makes it.

    Args:
        location: `user/name`, `user/name@revision` or `hf://datasets/user/name@revision` on the Hub, the URL
            of a folder (`https://…`, or what fsspec supports), or a path. An existing path wins over a
            reference.
        token: the Hub's token.

    Raises:
        HubError: the Hub can't be reached, or refused.
        StorageError: the folder does not exist, or a document cannot be read.
        DatasetError: a document is missing or cannot be read safely; lists all problems found.
        MissingDependencyError: the dataset is on the Hub, and the extra `hub` isn't installed.
    """
    reference = parse_reference(os.fspath(location))
    if reference is None or is_here(location):
        return open_reference(location)
    root = HubRoot(reference, token)
    return replace(dataset_below(root), reference=str(root.reference))
