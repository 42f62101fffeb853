"""Install the simulators that peers.py compares with, each in a folder of its own: python benches/install_peers.py

Nothing of this environment changes. The peers run on its torch: their metadata would pull torchvision, torchaudio and other torches
that they do not need for what is compared, so each is installed without dependencies, beside the few packages that it really imports
and that are not here already.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "installed-peers"

PEERS: dict[str, tuple[str, ...]] = {
    "spikingjelly-2.0.0": ("spikingjelly==2.0.0", "loguru==0.7.3"),
    "spikingjelly-0.0.0.0.14": ("spikingjelly==0.0.0.0.14", "tqdm==4.67.1"),
    "snntorch-1.0.0": ("snntorch==1.0.0",),
    "sinabs-3.1.3": ("sinabs==3.1.3", "pbr==7.1.3", "nir==1.0.4", "nirtorch==2.6"),
}
"""Name of a folder to the packages in it, without what this environment has."""


def installed() -> list[str]:
    """Names of the peers that are there."""
    return [name for name in PEERS if (FOLDER / name).is_dir()]


def main() -> None:
    """Install what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--again", action="store_true", help="install afresh what is there already")
    given = parser.parse_args()
    for name, packages in PEERS.items():
        target = FOLDER / name
        if target.is_dir():
            if not given.again:
                continue
            shutil.rmtree(target)
        part = target.with_name(f"{name}.part")
        shutil.rmtree(part, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", str(part), *packages], check=True)
        part.replace(target)
        print(f"{name}: {', '.join(packages)}")
    print(f"in {FOLDER}: {', '.join(installed())}")


if __name__ == "__main__":
    main()
