"""What the reading studies of three papers show by the statistics of Glioforge, from their published counts.

Writes `benchmarks/results/published_readings.json`, and prints the first table as Markdown.

    python benchmarks/published_readings.py
"""

import json
from pathlib import Path

from glioforge.reader.analysis_counts import Counts, detect, fisher_p
from glioforge.reader.published import CARVER_2021, GUO_2020, GUO_MAPS, HAN_2018
from glioforge.statistics.intervals import binomial_p, wilson

RESULT = Path(__file__).parent / "results" / "published_readings.json"
MARGIN = 0.1


def main() -> None:
    """Recompute the three tables."""
    han = {}
    print("| generator | right, % | p, chance | p, equal | d' | c | said synthetic, % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, counts in HAN_2018.items():
        found = detect(counts, MARGIN)
        han[name] = {
            "counts": list(counts.cells),
            "accuracy": [round(x, 4) for x in (found.accuracy.estimate, found.accuracy.low, found.accuracy.high)],
            "p_chance": round(found.p_chance, 5),
            "p_discrimination": round(found.p_discrimination, 5),
            "p_equivalence": round(found.p_equivalence, 4),
            "dprime": round(found.dprime.estimate, 3),
            "criterion": round(found.criterion, 3),
            "said_synthetic": counts.said_synthetic,
        }
        low, high = (f"{100 * x:.0f}" for x in (found.accuracy.low, found.accuracy.high))
        p = "< 0.001" if found.p_chance < 0.001 else f"{found.p_chance:.3f}"
        print(
            f"| {name} | {100 * counts.accuracy:.0f} ({low} to {high}) | {p} | {found.p_equivalence:.2f} "
            f"| {found.dprime.estimate:.2f} | {found.criterion:.2f} | {100 * counts.said_synthetic:.0f} |"
        )
    carver = {}
    for contrast, wrong in CARVER_2021.items():
        share = wilson(wrong, 19)
        carver[contrast] = {
            "misclassified": [round(x, 4) for x in (share.estimate, share.low, share.high)],
            "p_chance": round(binomial_p(wrong, 19), 5),
        }
    guo = {
        method: [round(x, 4) for x in (share.estimate, share.low, share.high)]
        for method, share in ((method, wilson(count, GUO_MAPS)) for method, count in GUO_2020.items())
    }
    first = Counts(GUO_2020["samr"], GUO_MAPS - GUO_2020["samr"], GUO_2020["shin"], GUO_MAPS - GUO_2020["shin"])
    found = {"han2018": han, "carver": carver, "guo2020": guo, "guo2020_samr_and_shin_p": round(fisher_p(first), 4)}
    RESULT.write_text(f"{json.dumps(found, indent=1)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
