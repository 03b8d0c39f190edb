from .anatomy_schemes import (
    ANATOMIES as ANATOMIES,
    COMPLETE_DISTRACTORS as COMPLETE_DISTRACTORS,
    COMPLETE_STRUCTURES as COMPLETE_STRUCTURES,
    FREESURFER as FREESURFER,
    brain_values as brain_values,
)
from .case import Case as Case, CaseReader as CaseReader, CaseRef as CaseRef
from .cohort import Cohort as Cohort, LabelSource as LabelSource
from .errors import (
    CaseError as CaseError,
    CohortError as CohortError,
    DependencyError as DependencyError,
    EditError as EditError,
    GeometryError as GeometryError,
    GlioforgeError as GlioforgeError,
    InputFileError as InputFileError,
    LabelError as LabelError,
    LeakageError as LeakageError,
    MetricError as MetricError,
    OutputError as OutputError,
    SpecError as SpecError,
    TrainingError as TrainingError,
    WorkerError as WorkerError,
)
from .firewall import free_of as free_of, require_apart as require_apart, require_no_leak as require_no_leak
from .geometry import (
    Affine as Affine,
    Box as Box,
    Geometry as Geometry,
    Index as Index,
    bounding_box as bounding_box,
    within as within,
)
from .labels import LabelMap as LabelMap, LabelScheme as LabelScheme, LabelVoxels as LabelVoxels
from .lineage import Kind as Kind, Lineage as Lineage, VALIDATION as VALIDATION
from .names import (
    composed as composed,
    counted as counted,
    listed as listed,
    name_key as name_key,
    shortened as shortened,
)
from .preparation import (
    PREPARATION as PREPARATION,
    SETTINGS as SETTINGS,
    not_prepared as not_prepared,
    preparations_of as preparations_of,
    require_labelled as require_labelled,
    require_prepared_alike as require_prepared_alike,
    require_unprepared as require_unprepared,
)
from .protocols import (
    EditRecord as EditRecord,
    ImageSampler as ImageSampler,
    ImageSynthesizer as ImageSynthesizer,
    LabelSampler as LabelSampler,
    LesionEdit as LesionEdit,
    Progress as Progress,
    QualityFilter as QualityFilter,
    Segmenter as Segmenter,
    Silent as Silent,
    Stage as Stage,
    Verdict as Verdict,
    VerdictRow as VerdictRow,
    funnel as funnel,
)
from .rng import stream as stream, stream_seed as stream_seed
from .scheme_text import scheme_of_labels as scheme_of_labels
from .schemes import (
    BIDS_TISSUE as BIDS_TISSUE,
    BRATS2013 as BRATS2013,
    BRATS2017 as BRATS2017,
    BRATS2023 as BRATS2023,
    BRATS2024 as BRATS2024,
    BRATS2024_PED as BRATS2024_PED,
    CARVER_BRAINMAP as CARVER_BRAINMAP,
    COMPLETE as COMPLETE,
    COMPLETE_CAVITY as COMPLETE_CAVITY,
    GUO2020 as GUO2020,
    LESION as LESION,
    SCHEMES as SCHEMES,
    complete_scheme as complete_scheme,
    scheme_named as scheme_named,
    tumour_scheme as tumour_scheme,
)
from .selection import parse_condition as parse_condition, require_some as require_some, select_cases as select_cases
from .split import (
    Split as Split,
    folds_by_subject as folds_by_subject,
    split_by_names as split_by_names,
    split_by_site as split_by_site,
    split_by_subject as split_by_subject,
    split_in_order as split_in_order,
)
from .volume import (
    Mask as Mask,
    Modality as Modality,
    Volume as Volume,
    Voxels as Voxels,
    in_standard_order as in_standard_order,
)
from .written_scheme import described as described, holds_lesion as holds_lesion, scheme_to_write as scheme_to_write
