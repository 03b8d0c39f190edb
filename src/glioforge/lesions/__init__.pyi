from .bank import Donor as Donor, LesionBank as LesionBank, canonical as canonical, fitted as fitted
from .base import EDITS as EDITS, EditSpec as EditSpec, uniform as uniform
from .context import EditContext as EditContext
from .displacement import Displacement as Displacement, sampled_at as sampled_at
from .edited_cohort import (
    METHOD as METHOD,
    Editor as Editor,
    edit_cohort as edit_cohort,
    edited_lineage as edited_lineage,
    edits_step as edits_step,
)
from .graft import Graft as Graft, MARGIN_MM as MARGIN_MM, scaled_counts as scaled_counts
from .inpaint import implant as implant, inpainted as inpainted, without_islands as without_islands
from .mass_effect import MassEffectSpec as MassEffectSpec
from .midline import Plane as Plane, midsagittal_plane as midsagittal_plane
from .patch import (
    CAVITY as CAVITY,
    CORE as CORE,
    CSF as CSF,
    Counts as Counts,
    ENHANCING as ENHANCING,
    GREY as GREY,
    LesionPatch as LesionPatch,
    NECROTIC as NECROTIC,
    OEDEMA as OEDEMA,
    WHITE as WHITE,
    cut as cut,
    is_fluid as is_fluid,
    is_lesion as is_lesion,
    names_tissue as names_tissue,
    tight_patch as tight_patch,
)
from .placement import PlacementSpec as PlacementSpec, Window as Window, draw_offset as draw_offset
from .placement_map import Compartments as Compartments, PlacementMap as PlacementMap
from .preview import preview_cohort as preview_cohort
from .recipe import (
    RecipeSpec as RecipeSpec,
    edit_labels as edit_labels,
    load_recipe as load_recipe,
    recipe_files as recipe_files,
)
from .ventricles import depth_mm as depth_mm, ventricles_of as ventricles_of, with_moved_border as with_moved_border
