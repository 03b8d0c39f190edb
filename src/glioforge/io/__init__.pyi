from .atomic_write import (
    output_error as output_error,
    read_json as read_json,
    read_regular_file as read_regular_file,
    regular_size as regular_size,
    remove_partials as remove_partials,
    replacing as replacing,
    write_atomically as write_atomically,
    write_json as write_json,
)
from .case_check import (
    CheckedCase as CheckedCase,
    Problem as Problem,
    check_case as check_case,
    id_problems as id_problems,
    missing_files as missing_files,
    same_images as same_images,
)
from .cohort_file import (
    COHORT_FILE as COHORT_FILE,
    read_cohort as read_cohort,
    require_no_loss as require_no_loss,
    write_cohort as write_cohort,
)
from .dataset_json import (
    DATASET_JSON as DATASET_JSON,
    DatasetJson as DatasetJson,
    channels as channels,
    hint_of as hint_of,
    read_dataset_json as read_dataset_json,
)
from .digest import case_digest as case_digest, hash_of_file as hash_of_file, scan_keys as scan_keys
from .case_search import (
    FoundFolder as FoundFolder,
    find_cases as find_cases,
    found_facts as found_facts,
    select_found as select_found,
)
from .folder_kind import (
    CARD as CARD,
    MASKS as MASKS,
    MAX_CARD as MAX_CARD,
    OLDER_ENCODER as OLDER_ENCODER,
    PRIVATE as PRIVATE,
    SEGMENTER as SEGMENTER,
    SPEC as SPEC,
    STUDY as STUDY,
    is_model as is_model,
    model_named as model_named,
    require_kind as require_kind,
    require_other_folder as require_other_folder,
    state_folder as state_folder,
)
from .case_files import FoundCase as FoundCase, assemble as assemble
from .gzip_stream import gzip_bytes as gzip_bytes
from .ingestion import ingest as ingest, ingest_folder as ingest_folder, join_cohorts as join_cohorts
from .itk import bias_field as bias_field, deform as deform, register as register
from .layout import (
    AnyLayout as AnyLayout,
    LAYOUTS as LAYOUTS,
    Layout as Layout,
    LayoutChoice as LayoutChoice,
    LayoutSpec as LayoutSpec,
    ScanFile as ScanFile,
)
from .nifti import (
    image_bytes as image_bytes,
    label_bytes as label_bytes,
    read_image as read_image,
    read_integers as read_integers,
    read_labels as read_labels,
    read_mask as read_mask,
    write_image as write_image,
    write_labels as write_labels,
    write_map as write_map,
    write_mask as write_mask,
)
from .nifti_reader import (
    assembled as assembled,
    digest_of as digest_of,
    files_behind as files_behind,
    is_share as is_share,
    read_scans as read_scans,
    require_digest as require_digest,
)
from .nnunet_raw import (
    ENDING as ENDING,
    dataset_values as dataset_values,
    write_channels as write_channels,
    write_nnunet_raw as write_nnunet_raw,
)
from .png import MIDDLE as MIDDLE, write_png_image as write_png_image, write_png_labels as write_png_labels
from .run_accelerator import kept_of as kept_of, remembered as remembered, settled as settled
from .run_folder import (
    DONE as DONE,
    ORPHAN_S as ORPHAN_S,
    STARTED as STARTED,
    Step as Step,
    require_free as require_free,
)
from .scan import Scan as Scan, read_scan as read_scan
from .scan_names import (
    BRAIN as BRAIN,
    Hint as Hint,
    LABELS as LABELS,
    PATTERN as PATTERN,
    UNCLEAR as UNCLEAR,
    is_image as is_image,
    pattern_of as pattern_of,
    role_of as role_of,
    stem as stem,
)
from .scheme_detection import detect_scheme as detect_scheme, require_known_values as require_known_values
from .scheme_evidence import (
    Evidence as Evidence,
    evidence_of as evidence_of,
    question as question,
    stated_scheme as stated_scheme,
)
from .sidecar import (
    MARKS as MARKS,
    NESTED as NESTED,
    Sidecar as Sidecar,
    read_sidecar as read_sidecar,
    write_sidecar as write_sidecar,
)
from .step_key import VERB as VERB, run_facts as run_facts, versions as versions
from .tables import (
    BETWEEN_DRAWS as BETWEEN_DRAWS,
    CSV as CSV,
    MEAN_OF_DRAWS as MEAN_OF_DRAWS,
    NOISE_FREE as NOISE_FREE,
    ONE_DRAW as ONE_DRAW,
    PREPARED as PREPARED,
    ResultRow as ResultRow,
    SCAN as SCAN,
    read_csv as read_csv,
    read_results as read_results,
    write_csv as write_csv,
    write_results as write_results,
)
from .walk import PassedOver as PassedOver, scan_files as scan_files
