"""Upload exported weights with their model card to the Hugging Face Hub."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from gansweep.store.errors import UserError

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def check_hub(repository: str) -> None:
    """Raise UserError for a name that no repository has, and if the client is not installed."""
    if not REPOSITORY.fullmatch(repository):
        raise UserError(f"--hub {repository}: write USER/NAME")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise UserError("--hub needs the package huggingface_hub: pip install 'gansweep[hub]'")


def upload(repository: str, folder: Path, files: Sequence[str], *, public: bool) -> str:
    """Upload files of a folder as one commit, and return the address of the repository.

    The repository is made if there is none, private unless `public` is set. The client finds the
    token of `hf auth login` or HF_TOKEN. Raises UserError if the upload fails.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi(library_name="gansweep")
        address = api.create_repo(repository, private=not public, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=list(files),
            commit_message="Export of gansweep",
        )
    except Exception as error:  # the client and its HTTP library have many kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"--hub {repository}: {type(error).__name__}: {reason}; the files are in {folder}, and "
            "the same command tries again"
        ) from error
    return str(address)
