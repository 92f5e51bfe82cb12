"""Drive Firefox from tests by its own protocol, Marionette, which needs no further program.

Debian has Firefox but no geckodriver, and Playwright drives only builds of its own. Marionette is
part of every Firefox: JSON with its length before it, over a socket of this machine.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name of an element in the WebDriver standard
START = 60.0  # seconds for the start of the browser, on a busy machine
WAIT = 10.0  # seconds for a condition
PREFERENCES = {
    "marionette.port": 0,  # any free port, which Firefox writes into its profile
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "ui.systemUsesDarkTheme": 0,
}
READ_ERRORS = """
const found = Services.console.getMessageArray().filter((message) =>
  message instanceof Ci.nsIScriptError && !(message.flags & Ci.nsIScriptError.warningFlag)
  && /^(file|http|data|blob):/.test(message.sourceName));
Services.console.reset();
return found.map((message) => message.errorMessage);
"""
# A window is at least 500 pixels wide, but the page within it may be narrower.
SET_WIDTH = """
const { style } = gBrowser.selectedBrowser;
style.setProperty("max-width", `${arguments[0]}px`);
style.setProperty("width", `${arguments[0]}px`);
style.setProperty("flex", "none");
"""


class FirefoxError(Exception):
    """Firefox did not start, or refused a command."""


def executable() -> str | None:
    """Return the path of Firefox, or None if this machine has none."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One Firefox without a window, with a profile of its own; `close` removes both."""

    def __init__(self, program: str) -> None:
        self.profile = Path(tempfile.mkdtemp(prefix="firefox-"))
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (self.profile / "user.js").write_text("\n".join(lines))
        self.process = subprocess.Popen(
            [program, "--headless", "--no-remote", "--marionette", "--remote-allow-system-access",
             "--profile", str(self.profile)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._socket: socket.socket | None = None
        self._number = 0
        try:
            self._socket = socket.create_connection(("127.0.0.1", self._port()), timeout=START)
            self._receive()  # the greeting
            self.ask("WebDriver:NewSession", {"capabilities": {}})
        except Exception:
            self.close()
            raise

    def _port(self) -> int:
        path, end = self.profile / "MarionetteActivePort", time.monotonic() + START
        while not (path.exists() and path.read_text().strip()):
            if self.process.poll() is not None or time.monotonic() > end:
                raise FirefoxError(f"Firefox did not start (exit code {self.process.poll()})")
            time.sleep(0.05)
        return int(path.read_text())

    def _receive(self) -> Any:
        assert self._socket is not None
        length = b""
        while not length.endswith(b":"):
            byte = self._socket.recv(1)
            if not byte:
                raise FirefoxError("Firefox has ended")
            length += byte
        content = b""
        while len(content) < int(length[:-1]):
            content += self._socket.recv(int(length[:-1]) - len(content))
        return json.loads(content)

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        """Send a command of the WebDriver standard, and return its answer."""
        assert self._socket is not None
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, answer = self._receive()
        if error:
            raise FirefoxError(f"{command}: {error['message']}")
        return answer["value"] if isinstance(answer, dict) and "value" in answer else answer

    def close(self) -> None:
        """End the browser, and remove its profile."""
        if self._socket is not None:
            self._socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    # What a person does with a page -----------------------------------------------------------

    def open(self, url: str, width: int = 1280, height: int = 800) -> None:
        """Open a page whose inside has this size, in CSS pixels. Earlier pages are left."""
        self.ask(
            "WebDriver:Navigate", {"url": "about:blank"}
        )  # a new address after # loads nothing
        rim = self.run("return outerHeight - innerHeight")
        self.ask("WebDriver:SetWindowRect", {"width": width, "height": height + rim})
        self._privileged(SET_WIDTH, width)
        self.ask("WebDriver:Navigate", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page, and return what it returns; a promise is waited for."""
        body = {"script": script, "args": list(arguments), "sandbox": None}
        return self.ask("WebDriver:ExecuteScript", body)

    def element(self, selector: str) -> str:
        """Return the first element that a CSS selector finds. Raises FirefoxError without one."""
        found = self.ask("WebDriver:FindElement", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def click(self, selector: str) -> None:
        self.ask("WebDriver:ElementClick", {"id": self.element(selector)})

    def type(self, selector: str, text: str) -> None:
        """Replace the text of an input box."""
        element = self.element(selector)
        self.ask("WebDriver:ElementClear", {"id": element})
        self.ask("WebDriver:ElementSendKeys", {"id": element, "text": text})

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that a CSS selector finds."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        found: list[str] = self.run(script, selector)
        return found

    def wait_for(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns as soon as that is true. Raises FirefoxError if never."""
        end = time.monotonic() + WAIT
        while not (found := self.run(script, *arguments)):
            if time.monotonic() > end:
                raise FirefoxError(f"{WAIT:g} s without: {script} {arguments}")
            time.sleep(0.05)
        return found

    def prefer_dark(self, dark: bool) -> None:
        """Set the theme of the system, as pages see it."""
        self._privileged("Services.prefs.setIntPref('ui.systemUsesDarkTheme', arguments[0]);"
                         "Services.prefs.setIntPref("
                         "'layout.css.prefers-color-scheme.content-override', 1 - arguments[0]);",
                         int(dark))  # fmt: skip

    def errors(self) -> list[str]:
        """Return the errors of pages since the last call."""
        found: list[str] = self._privileged(READ_ERRORS)
        return found

    def _privileged(self, script: str, *arguments: Any) -> Any:
        """Run a script with the rights of the browser itself."""
        self.ask("Marionette:SetContext", {"value": "chrome"})
        try:
            return self.run(script, *arguments)
        finally:
            self.ask("Marionette:SetContext", {"value": "content"})
