"""Our side of the live path, one case a process: what `streamtrader bench live` measures, as `run_peers` wants it."""

from __future__ import annotations

import argparse

from benchmarks.results import emit
from streamtrader.bench.frames import KINDS
from streamtrader.bench.live import over_loopback
from streamtrader.bench.serving import serving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="trade")
    parser.add_argument("--mode", choices=("flood", "paced", "burst"), default="flood")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--spin", action="store_true", help="poll instead of sleeping")
    parser.add_argument("extra", nargs="*", type=int, help="paced: frames a second; burst: frames, period in us")
    options = parser.parse_args()
    with serving() as port:
        found = over_loopback(
            port, options.kind, options.mode, options.count, *options.extra, is_spinning=options.spin
        )
    if found["lost"] or found["gaps"]:
        raise SystemExit(f"not every frame was taken: {found}")
    emit({"bench": "ours_live", "who": "streamtrader", "kind": options.kind, "mode": options.mode} | found)


if __name__ == "__main__":
    main()
