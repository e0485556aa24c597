"""The token of OAUTHBEARER from a file that another process renews."""

from __future__ import annotations

import stat
from pathlib import Path

from kafka.net.sasl.oauth import AbstractTokenProvider


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # the library has no types
    """The text of a file, without space around it, read again only when the file has changed.

    It is asked on the thread that does all I/O of a client: a slow answer would stop the heartbeats. So nothing but an ordinary
    file is read; and while it cannot be read, or is empty, because it is being replaced, the last token is still good.
    """

    def __init__(self, path: str) -> None:
        """Nothing is read yet."""
        super().__init__()
        self._path = Path(path)
        self._seen: tuple[int, ...] = ()
        self._token = ""

    def token(self) -> str:
        """The token. Raises OSError when there is none, and never was."""
        try:
            now = self._path.stat()
            seen = (now.st_mtime_ns, now.st_size, now.st_ino)
            if seen != self._seen and stat.S_ISREG(now.st_mode):
                self._token, self._seen = self._path.read_text().strip() or self._token, seen
        except OSError:
            if not self._token:
                raise
        if not self._token:
            raise OSError(f"no token in {self._path}: write it there, kafka.sasl_token_file names the file")
        return self._token
