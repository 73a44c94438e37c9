"""The package is complete, and its layers hold."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import spikeloom

LAYERS = ("boards", "gen", "hdl", "sim", "software", "spec")


@pytest.fixture(scope="session")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())


def test_every_folder_with_code_is_a_listed_package(root: Path, project: dict) -> None:
    folders = {path.parent.relative_to(root) for layer in LAYERS for path in (root / layer).rglob("*.py")
               if "templates" not in path.parts}
    found = {".".join(("spikeloom", *folder.parts)) for folder in folders} | {"spikeloom"}
    assert set(project["tool"]["setuptools"]["packages"]) == found
    assert not [folder for folder in folders if not (root / folder / "__init__.py").is_file()]


def test_inside_the_package_imports_are_relative(root: Path) -> None:
    absolute = re.compile(r"^\s*(from|import) spikeloom\b", re.MULTILINE)
    wrong = [path for layer in LAYERS for path in sorted((root / layer).rglob("*.py"))
             if "templates" not in path.parts and absolute.search(path.read_text())]
    assert wrong == []


def test_every_dependency_says_why(root: Path) -> None:
    text = (root / "pyproject.toml").read_text()
    section = text[text.index("\ndependencies = ["):text.index("[project.scripts]")]
    entries = [line for line in section.splitlines() if line.lstrip().startswith('"')]
    assert entries
    assert [line for line in entries if not re.search(r",\s+# \S+ \S+", line)] == []


def test_layers_hold(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("importlinter", reason="import-linter is in the extra dev")
    result = lint_imports(root, root, tmp_path)
    assert result.returncode == 0, result.stdout


def test_layer_checker_refuses_a_forbidden_import(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("importlinter", reason="import-linter is in the extra dev")
    broken = tmp_path / "broken"
    for layer in (*LAYERS, "software/host"):
        (broken / layer).mkdir(parents=True)
        (broken / layer / "__init__.py").touch()
    (broken / "__init__.py").touch()
    (broken / "sim" / "golden.py").write_text("from ..hdl import router\n")
    (broken / "hdl" / "router.py").touch()
    result = lint_imports(root, broken, tmp_path)
    assert result.returncode == 1
    assert "sim knows only spec BROKEN" in result.stdout


def lint_imports(root: Path, package: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Runs import-linter with the repository's contracts on the package in a folder."""
    site = tmp_path / "site" / "spikeloom"
    site.mkdir(parents=True)
    for part in ("__init__.py", *LAYERS):
        (site / part).symlink_to(package / part)
    return subprocess.run([Path(sys.executable).with_name("lint-imports"), "--config", root / "pyproject.toml", "--no-cache"],
                          cwd=site.parent, env={"PYTHONPATH": str(site.parent), "COLUMNS": "200", "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True)


def test_pytest_imports_the_root_under_no_second_name(root: Path) -> None:
    assert Path(str(spikeloom.__file__)).resolve() == (init := root / "__init__.py")
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    names = [name for name, file in files.items() if file and Path(file).resolve() == init]
    assert names == ["spikeloom"]
