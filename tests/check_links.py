"""Ask every outside address in the book whether it still leads somewhere; print those that do not.

Sphinx's own ``linkcheck`` builder asks; the chapters are not run for it. Exit status: 0 when every
address answers, 1 when some do not, 2 when not one could be reached, as without a network.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = {"linkcheck_timeout": 10, "linkcheck_retries": 1, "linkcheck_anchors": False}
# what the network says when it is the network that fails, not the address
NO_NETWORK = ("Max retries exceeded", "Connection aborted", "timed out", "Failed to resolve")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="drqsim-links-") as directory:
        config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
        config["execute"]["execute_notebooks"] = "off"
        config["sphinx"]["config"] |= PATIENCE
        extensions = config["sphinx"]["local_extensions"]
        config["sphinx"]["local_extensions"] = {
            name: str(ROOT / folder) for name, folder in extensions.items()
        }
        settings = Path(directory) / "_config.yml"
        settings.write_text(yaml.safe_dump(config), encoding="utf-8")
        command = ["jupyter-book", "build", ROOT, "--builder", "linkcheck", "-q"]
        command += ["--config", settings, "--path-output", directory]
        command[0] = Path(sys.executable).parent / command[0]
        print("Asking every outside address in the book ...", flush=True)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        found = list(Path(directory).rglob("output.json"))
        if not found:
            print(f"The addresses were not asked:\n{done.stdout}{done.stderr}", file=sys.stderr)
            return 2
        lines = found[0].read_text(encoding="utf-8").splitlines()
        asked = [json.loads(line) for line in lines]
    return tell([link for link in asked if link["uri"].startswith("http")])


def tell(asked: list[dict]) -> int:
    """Print what did not answer, and how many did."""
    links = {link["uri"]: link for link in asked}
    broken = {uri for uri, link in links.items() if link["status"] in ("broken", "timeout")}
    unreached = {uri for uri in broken if any(n in links[uri]["info"] for n in NO_NETWORK)}
    for uri in sorted(broken - unreached):
        print(f"  {links[uri]['filename']}: {uri}\n    {links[uri]['info'][:150]}")
    if unreached:
        hosts = sorted({urlsplit(uri).netloc for uri in unreached})
        print(f"  {len(unreached)} addresses could not be reached, at {', '.join(hosts)}")
    print(f"{len(links) - len(broken)} of {len(links)} addresses answer.")
    return 0 if not broken else 2 if broken == unreached == links.keys() else 1


if __name__ == "__main__":
    sys.exit(main())
