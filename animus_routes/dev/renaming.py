"""Texts that a plugin makes anew on each run, such as ids, and what they were when recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from animus_routes.dev.differences import NOTHING

if TYPE_CHECKING:
    from animus_routes.dev.paths import Paths, Place


class Renaming:
    """Learns which text stands for which, and writes recorded frames with the new ones.

    Args:
        places: Where such texts stand in what the plugin writes.
        folder: The project's folder when it was recorded.
        new_folder: The one of now.
    """

    def __init__(self, places: Paths, folder: str, new_folder: str) -> None:
        self._places = places
        self._folder = folder.rstrip("/")
        self._new_folder = new_folder.rstrip("/")
        self._new: dict[str, str] = {}

    def learn(self, recorded: Any, found: Any, place: Place = ()) -> None:
        """Compare a recorded frame of the plugin with the one that came in its place."""
        if self._places.match(place):
            if isinstance(recorded, str) and isinstance(found, str):
                self._new[recorded] = found
        elif isinstance(recorded, dict) and isinstance(found, dict):
            after = cast("dict[str, Any]", found)
            for key, inside in cast("dict[str, Any]", recorded).items():
                self.learn(inside, after.get(key, NOTHING), (*place, key))
        elif isinstance(recorded, list) and isinstance(found, list):
            both = zip(cast("list[object]", recorded), cast("list[object]", found), strict=False)
            for number, (one, other) in enumerate(both):
                self.learn(one, other, (*place, str(number)))

    def of(self, value: Any) -> Any:
        """A recorded value with what is new in it."""
        if isinstance(value, dict):
            found = cast("dict[str, Any]", value).items()
            return {self._text(key): self.of(inside) for key, inside in found}
        if isinstance(value, list):
            return [self.of(item) for item in cast("list[object]", value)]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if text in self._new:
            return self._new[text]
        if self._folder and (text == self._folder or text.startswith(f"{self._folder}/")):
            return self._new_folder + text.removeprefix(self._folder)
        return text
