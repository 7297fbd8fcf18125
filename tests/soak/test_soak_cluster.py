#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The short form of tools/soak_cluster.py: one test for each of its scenarios. They mostly wait, for
leases to lapse and the like, so they run side by side.

    test_soak_cluster.py SOURCE BUILD"""

import concurrent.futures
import sys
from pathlib import Path

SOURCE = Path(sys.argv[1])
sys.path.insert(0, str(SOURCE / "tools"))

import nats  # noqa: E402
import soak_cluster  # noqa: E402
from tap import Tap  # noqa: E402


def main():
    args = soak_cluster.arguments(["--short", "--build", sys.argv[2]])
    scenarios = soak_cluster.chosen(args)
    tap = Tap()
    with concurrent.futures.ThreadPoolExecutor(len(scenarios)) as pool:
        running = [pool.submit(soak_cluster.run_scenario, scenario, args, args.seed)
                   for scenario in scenarios if nats.is_installed()]
        for scenario, future in zip(scenarios, running):
            found = future.result()
            name = f"every_job_ends_with_one_right_result: {scenario.name}"
            if found["outcome"] == "skipped":
                tap.skip(name, found["words"])
            else:
                tap.result(name, found["outcome"] == "passed", soak_cluster.line_of(found))
    if not running:
        tap.skip("every_job_ends_with_one_right_result", "nats-server is not installed")
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
