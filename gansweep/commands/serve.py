"""`python -m gansweep serve SWEEP`: show a sweep in the browser while it runs."""

from __future__ import annotations

import argparse
import signal
import tempfile
import webbrowser
from pathlib import Path

from gansweep.config import DEFAULTS
from gansweep.store.errors import UserError, one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep
from gansweep.store.manifest import manifest_path, read_manifest
from gansweep.terminal.console import console


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep serve",
        description="Show the gallery of a sweep while its runs train. The page follows the files "
        "of the runs, wherever they are trained. Only this computer reaches it; Ctrl-C ends it.",
    )
    add_arguments(parser)
    args = parser.parse_args(argv)
    with one_line_errors():
        from gansweep.report.gallery.live import LivePage

        name = find_sweep(args.sweep, args.out)
        read_manifest(args.out, name)  # refuses an unknown sweep before anything is written
        place = manifest_path(args.out, name).parent
        try:
            folder = tempfile.TemporaryDirectory(prefix=".page-", dir=place)  # links need this disk
        except OSError as error:
            raise UserError(f"{place}: {error.strerror}") from None
        with folder, LivePage(name, args.out, Path(folder.name)).server(args.port) as server:
            serve(server, f"{name} while it runs", args.browser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that serves a page of a sweep."""
    parser.add_argument("sweep", help=SWEEP)
    parser.add_argument(
        "--port", type=int, help="port of the page (default 8765, or a free one if that is taken)"
    )
    parser.add_argument(
        "--browser", action=argparse.BooleanOptionalAction, default=True,
        help="open the page in the browser (default)",
    )  # fmt: skip
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )


def serve(server: object, what: str, browser: bool) -> None:
    """Serve until Ctrl-C or SIGTERM. what: the contents of the page, for the message."""
    from gansweep.report.gallery.server import LocalServer

    assert isinstance(server, LocalServer)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, and cleans up
    try:
        console.print(f"{what}: {server.url} (Ctrl-C ends)", soft_wrap=True, highlight=False)
        if browser:
            webbrowser.open(server.url)
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        console.print()
