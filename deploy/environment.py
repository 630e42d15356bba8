"""Makes ``.venv`` beside the sources and installs Headgate into it; nothing but Python >= 3.11 is needed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def ready(*extras: str) -> Path:
    """The virtual environment's python, with these extras installed. Exits with a clear word when it cannot be."""
    if sys.version_info < OLDEST:
        sys.exit(f"Headgate needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.")
    place = Path(os.environ.get("HEADGATE_VENV", "") or ROOT / ".venv")
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + ",".join(sorted(extras)).encode()).hexdigest()
    stamp = place / "headgate.stamp"
    if python.exists() and stamp.exists() and wanted in stamp.read_text().split():
        return python
    if not python.exists():
        print(f"making {place}", flush=True)
        venv.create(place, with_pip=True, symlinks=os.name != "nt")
    print(f"installing Headgate ({', '.join(extras)}); the first time this takes a minute", flush=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*install, "-e", f"{ROOT}[{','.join(extras)}]"], check=False)
    if done.returncode:
        sys.exit("pip could not install Headgate; its own message is above.")
    known = stamp.read_text().split() if stamp.exists() else []
    stamp.write_text("\n".join([*known[-20:], wanted]) + "\n")
    return python
