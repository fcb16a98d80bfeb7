"""The commit that a run was made with, read from the files of git's checkouts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from qwen_ui.runs.environment import _commit

ME = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", folder, *ME, *words], capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_the_commit_of_a_checkout_of_any_form(tmp_path: Path) -> None:
    clone, worktree, branch = tmp_path / "clone", tmp_path / "worktree", tmp_path / "branch"
    clone.mkdir()
    git(clone, "init", "--initial-branch", "main")
    assert _commit(clone) is None  # no commit yet
    git(clone, "commit", "--allow-empty", "--message", "one")
    git(clone, "worktree", "add", "--detach", str(worktree))
    git(clone, "worktree", "add", "-b", "other", str(branch))
    git(branch, "commit", "--allow-empty", "--message", "two")
    shown = {folder: git(folder, "rev-parse", "HEAD") for folder in (clone, worktree, branch)}
    assert {folder: _commit(folder) for folder in shown} == shown
    git(clone, "pack-refs", "--all")
    assert {folder: _commit(folder) for folder in shown} == shown
    assert _commit(tmp_path) is None


def test_a_broken_pointer_is_no_commit(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere/at/all\n")
    assert _commit(tmp_path) is None
