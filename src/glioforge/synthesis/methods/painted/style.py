"""A drawn style of `painted`, and what distractors look like in it."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64

from glioforge.core import LabelScheme, Modality
from glioforge.synthesis.methods.painted.subclasses import rim_as_fluid


@final
@dataclass(frozen=True, eq=False)
class Style:
    """A drawn style; tables have a row for each class.

    Args:
        modalities: Contrasts.
        means: Mean of each subclass.
        deviations: Standard deviation within each.
        shares: Share of each in its class.
        noise: Standard deviation of the noise in each contrast.
        centres: Class means of the average training case, which say what is bright around a voxel.
        directions: Direction along which the voxels of a class differ.
        followed: How closely their brightness follows that of the classes around them.
    """

    modalities: tuple[Modality, ...]
    means: Float64[np.ndarray, "class subclass contrast"]
    deviations: Float64[np.ndarray, "class subclass contrast"]
    shares: Float64[np.ndarray, "class subclass"]
    noise: Float64[np.ndarray, "contrast"]
    centres: Float64[np.ndarray, "class contrast"]
    directions: Float64[np.ndarray, "class contrast"]
    followed: Float64[np.ndarray, "class"]

    def in_scheme(self, shown: LabelScheme, own: LabelScheme, rng: np.random.Generator) -> "Style":
        """The style with a row for each class of the scheme that is painted; the background is painted as CSF.

        Args:
            shown: Scheme of the map, with distractors perhaps.
            own: Scheme of this style.
            rng: Draws how bright distractors are.
        """
        style = self if shown == own else self._with_distractors(shown, own, rng)
        return replace(style, means=rim_as_fluid(style.means, shown), centres=rim_as_fluid(style.centres, shown))

    def _with_distractors(self, shown: LabelScheme, own: LabelScheme, rng: np.random.Generator) -> "Style":
        """Rows of the classes that this style has for those of another scheme, and mixed ones for distractors."""
        names, values = sorted(shown.labels, key=shown.value), sorted(own.labels.values())
        rank = {name: values.index(own.value(name)) for name in own.labels}
        table = shown.table_to(own)
        source = [values.index(int(table[shown.value(name)])) for name in names]
        rows = {name: getattr(self, name)[source] for name in _ROWS}
        for name, looks in _looks_of_distractors(self.modalities, rng).items():
            place = names.index(name)
            for contrast, weights in enumerate(looks):
                rows["means"][place, :, contrast] = sum(
                    w * self.means[rank[n], :, contrast] for n, w in weights.items()
                )
        return replace(self, **rows)


_ROWS = ("means", "deviations", "shares", "centres", "directions", "followed")


def _looks_of_distractors(
    modalities: tuple[Modality, ...], rng: np.random.Generator
) -> dict[str, list[dict[str, float]]]:
    """What a distractor looks like in each contrast, as weights of classes.

    Caps of the ventricles are as bright as oedema in part; vessels enhance and have no signal in spin echoes.
    """
    wet, lit = float(rng.uniform(0.4, 0.9)), float(rng.uniform(0.7, 1.1))
    cap = {"oedema": wet, "white_matter": 1 - wet}
    enhanced, dark = {"enhancing": lit, "white_matter": 1 - lit}, {"csf": 1.0}
    void = {Modality.T1CE: enhanced, Modality.T1: dark, Modality.FLAIR: dark}
    vessel = [void.get(m, {"white_matter": 1.0}) for m in modalities]
    return {"ventricle_cap": [cap] * len(modalities), "vessel_spot": vessel}
