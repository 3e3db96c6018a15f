"""Keeping an explorer in its folder: after every change, and whoever else saves there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reweightviz.apps.explorer import files
from reweightviz.apps.explorer.view import View, apply_view, merge_views, read_view
from reweightviz.core.errors import ReweightvizError, UnwritableFile, warn
from reweightviz.core.lock import hold_lock
from reweightviz.core.undo_journal import Standing, new_id

if TYPE_CHECKING:
    from reweightviz.apps.explorer.explorer import Explorer

__all__ = ["Keeper"]


class _Known(NamedTuple):
    """What lies in the folder, as far as this explorer knows: what it last read or wrote there."""

    standing: Standing
    view: Mapping[str, Any]
    content: bytes


class Keeper:
    """Saves one explorer, and remembers where.

    Several explorers may be kept in one folder, in one process or in several: one writes at a time,
    and one that finds what it does not know puts its own changes on top of it.

    Args:
        explorer: made, and as its arguments have it.
    """

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._start: View = read_view(explorer)
        self._folder: Path | None = None
        self._settings: dict[str, Any] = {}
        self._mark: tuple[int, ...] = ()
        self._known: _Known | None = None
        self._busy = False
        self._trouble = ""

    def save(self, folder: Path, *, overwrite: bool) -> None:
        """Save everything, and keep the explorer there from now on.

        Raises:
            ReweightvizError: the folder holds something else, or another explorer and
                ``overwrite`` is False, or it cannot be written.
        """
        place = folder.absolute()
        files.check_folder(place, overwrite=overwrite or self._is_kept_in(place))
        _make_folder(place)
        with self._hold(place):
            kept = self._is_kept_in(place)
            files.check_folder(place, overwrite=overwrite or kept)
            self._save_whole(place, files.read_settings(place) if kept else {})

    def resume(self, folder: Path) -> None:
        """Keep the explorer there from now on.

        Where the same documents were explored there, go on from that.
        """
        place = folder.absolute()
        files.check_folder(place, overwrite=True)
        _make_folder(place)
        with self._hold(place):
            settings: dict[str, Any] = {}
            if files.holds_explorer(place):
                settings = files.read_settings(place)
                explorer = self._explorer
                files.check_same_documents(place, settings, explorer.sources, explorer.corpus)
                saved = files.read_state(place, settings)
                # What this explorer was given anew stands; what it was made with before, and that
                # was changed since, is taken up.
                self._take_up(saved, merge_views(saved.start, self._start, saved.view))
            self._save_whole(place, settings)

    def restore(self, folder: Path, settings: dict[str, Any], saved: files.SavedState) -> None:
        """Stand where a saved explorer stood, and keep it in its folder from now on."""
        place = folder.absolute()
        self._take_up(saved, saved.view)
        self._start = saved.start
        self._folder = place
        self._settings = settings
        self._mark = files.mark_settings(place)

    def keep(self) -> None:
        """Save what changed; where that fails, say so, once, and save it with the next change."""
        if self._folder is None or self._busy:
            return
        try:
            self._save_or_leave(self._folder)
        except (ReweightvizError, OSError) as error:
            self._report(f"this change is not saved yet, the next one will try again: {error}")
        else:
            self._report("")

    # ---- writing

    @contextmanager
    def _hold(self, folder: Path) -> Iterator[None]:
        """Be the one who writes in a folder; what changes meanwhile is written by whoever holds."""
        with hold_lock(folder / files.SETTINGS):
            self._busy = True
            try:
                yield
            finally:
                self._busy = False

    def _save_or_leave(self, folder: Path) -> None:
        if not self._is_kept_in(folder):
            self._leave(folder)
            return
        with self._hold(folder):
            # Another may have saved over it while we waited.
            if self._is_kept_in(folder):
                self._save_state(folder)
            else:
                self._leave(folder)

    def _save_whole(self, folder: Path, before: Mapping[str, Any]) -> None:
        """Write all of the explorer.

        Args:
            folder: to write to.
            before: the settings there, where they are of this explorer.
        """
        files.claim_folder(folder)
        settings = files.write_parts(folder, self._explorer, before)
        settings["id"] = before.get("id") or new_id()
        known = self._known if before else None
        known = self._write_state(folder, settings, known)
        files.write_settings(folder, settings)
        files.sweep(folder, settings)
        self._folder = folder
        self._settings = settings
        self._mark = files.mark_settings(folder)
        self._known = known

    def _save_state(self, folder: Path) -> None:
        self._known = self._write_state(folder, self._settings, self._known)
        if files.is_old(self._settings):
            self._settings = files.upgrade(folder)
            self._mark = files.mark_settings(folder)

    def _write_state(
        self, folder: Path, settings: Mapping[str, Any], known: _Known | None
    ) -> _Known:
        """Write what changes while a person explores, on top of what another wrote since."""
        explorer = self._explorer
        content = files.read_content(folder, settings)
        changed = known is not None and content not in (None, known.content)
        if known is not None and changed:
            self._put_on_top(files.read_state(folder, settings), known)
        view = read_view(explorer)
        encoded = files.encode_state(explorer.state, view, self._start)
        if encoded != content:
            files.write_content(folder, settings, encoded)
        if changed:
            self._say(
                f"{folder} was changed by another explorer since; its steps are taken up below "
                "yours."
            )
        return _Known(explorer.state.journal.standing, view, encoded)

    def _put_on_top(self, theirs: files.SavedState, known: _Known) -> None:
        explorer = self._explorer
        view = merge_views(known.view, read_view(explorer), theirs.view)
        explorer.state.rebase(known.standing, theirs.state)
        apply_view(explorer, view)
        # Also where what follows fails: these changes of another are known now.
        self._known = _Known(theirs.state.journal.standing, theirs.view, theirs.content)

    def _take_up(self, saved: files.SavedState, view: View) -> None:
        self._explorer.state.restore(saved.state)
        apply_view(self._explorer, view)
        self._known = _Known(saved.state.journal.standing, saved.view, saved.content)

    # ---- whose folder it is

    def _is_kept_in(self, folder: Path) -> bool:
        """Return whether a folder holds this very explorer; it is read only where it changed."""
        if folder != self._folder:
            return False
        if not (folder / files.SETTINGS).exists():
            return False
        mark = files.mark_settings(folder)
        if mark != self._mark:
            if files.identify(folder) != self._settings["id"]:
                return False
            self._mark = mark
        return True

    def _leave(self, folder: Path) -> None:
        self._folder = None
        self._say(
            f"{folder} holds this explorer no longer, for another was saved over it or its files "
            "were deleted: save(path) with a new folder keeps this one and its undo journal."
        )

    # ---- words

    def _report(self, trouble: str) -> None:
        """Say what keeps this explorer from being saved when it begins; "" is the end of it."""
        editor = self._explorer.editor
        before = self._trouble
        self._trouble = trouble
        if trouble and trouble != before:
            self._say(trouble)
        elif before and not trouble and editor.error == before:
            editor.error = ""

    def _say(self, sentence: str) -> None:
        """Say a sentence to Python and in the page."""
        self._explorer.editor.error = sentence
        warn(sentence)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableFile(path=folder, reason=error.strerror or error) from error
