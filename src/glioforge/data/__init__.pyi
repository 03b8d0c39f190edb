from .alike import (
    SLICE as SLICE,
    SLICES_FROM as SLICES_FROM,
    SLICES_TO as SLICES_TO,
    cases_like as cases_like,
    placed_on as placed_on,
    slices_like as slices_like,
    thin_axis as thin_axis,
)
from .augment import augment_batch as augment_batch
from .augment_spec import Amount as Amount, AugmentSpec as AugmentSpec
from .augment_images import draw_places as draw_places, resample as resample
from .bundle import read_bundle as read_bundle, write_bundle as write_bundle
from .derivation import Derived as Derived, derive as derive, derived_or_left_out as derived_or_left_out
from .doctor.examine import Diagnosis as Diagnosis, examine as examine
from .doctor.look import CaseLook as CaseLook
from .doctor.opened import Finding as Finding, SEVERITIES as SEVERITIES, montage as montage
from .frames import decode as decode, encode as encode, hash_of as hash_of
from .growth import (
    Growth as Growth,
    Kinetics as Kinetics,
    Tissue as Tissue,
    VISIBLE_DENSITY as VISIBLE_DENSITY,
    grow as grow,
    stages as stages,
    visibility as visibility,
)
from .lattice import (
    Deformation as Deformation,
    Field as Field,
    Lattice as Lattice,
    Points as Points,
    Values as Values,
    VectorField as VectorField,
    exponential as exponential,
    smooth_field as smooth_field,
)
from .pairs import MixedPairs as MixedPairs, SlicePairs as SlicePairs
from .patches import PatchPairs as PatchPairs
from .phantom.cohort import (
    count_phantoms as count_phantoms,
    promised_phantoms as promised_phantoms,
    require_phantoms_fit as require_phantoms_fit,
    write_phantom_cohort as write_phantom_cohort,
)
from .phantom.make import Phantom as Phantom, make_phantom as make_phantom
from .phantom.spec import FIELD_OF_VIEW_MM as FIELD_OF_VIEW_MM, PhantomSpec as PhantomSpec
from .png_slices import write_png_slices as write_png_slices
from .preparation.atlas import AtlasSpec as AtlasSpec, build_atlas as build_atlas
from .preparation.brain import (
    PLAUSIBLE_ML as PLAUSIBLE_ML,
    background_value as background_value,
    find_brain as find_brain,
    largest_part as largest_part,
    not_background as not_background,
    plan_window as plan_window,
)
from .preparation.fitting import (
    grid_of as grid_of,
    require_one_grid as require_one_grid,
    require_same_contrasts as require_same_contrasts,
    same_size as same_size,
    size_text as size_text,
)
from .preparation.grades import PLAUSIBLE as PLAUSIBLE, summary as summary
from .preparation.grid import GridPlan as GridPlan
from .preparation.intensity import normalise as normalise
from .preparation.pipeline import (
    PREPARE_REPORT as PREPARE_REPORT,
    prepare as prepare,
    require_preparable as require_preparable,
)
from .preparation.record import PREPARATION as PREPARATION, write_records as write_records
from .preparation.resample import (
    plan_of as plan_of,
    resample_labels as resample_labels,
    resample_mask as resample_mask,
    restore as restore,
    restore_values as restore_values,
)
from .preparation.spec import GridSpec as GridSpec, PrepareSpec as PrepareSpec
from .replay import FreshCases as FreshCases, Pool as Pool, Replay as Replay
from .sampling import (
    Batches as Batches,
    Source as Source,
    fits_in_memory as fits_in_memory,
    lesion_table as lesion_table,
    steps_of_an_epoch as steps_of_an_epoch,
)
from .statistics import ClassStatistics as ClassStatistics, fit_statistics as fit_statistics
from .store import (
    CASES as CASES,
    STORED_FACTS as STORED_FACTS,
    find_case as find_case,
    folder_of as folder_of,
    read_labels as read_labels,
    read_packed as read_packed,
    write_case as write_case,
)
