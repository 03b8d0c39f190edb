# Public names, each written once: type checkers read this file, and `__init__.py` imports a name of it on first use.

from .cli.progress import TerminalProgress as TerminalProgress
from .compute.accelerator import AcceleratorSpec as AcceleratorSpec
from .compute.parallel import ParallelSpec as ParallelSpec
from .config.load import load_spec as load_spec
from .core.anatomy_schemes import (
    COMPLETE_STRUCTURES as COMPLETE_STRUCTURES,
    FREESURFER as FREESURFER,
    STRUCTURES as STRUCTURES,
)
from .core.case import Case as Case, CaseRef as CaseRef
from .core.cohort import Cohort as Cohort
from .core.errors import (
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
from .core.geometry import Geometry as Geometry
from .core.labels import LabelMap as LabelMap, LabelScheme as LabelScheme
from .core.lineage import Lineage as Lineage
from .core.volume import Modality as Modality
from .core.schemes import (
    BIDS_TISSUE as BIDS_TISSUE,
    BRATS2013 as BRATS2013,
    BRATS2017 as BRATS2017,
    BRATS2023 as BRATS2023,
    BRATS2024 as BRATS2024,
    BRATS2024_PED as BRATS2024_PED,
    CARVER_BRAINMAP as CARVER_BRAINMAP,
    COMPLETE as COMPLETE,
    COMPLETE_CAVITY as COMPLETE_CAVITY,
    DECATHLON as DECATHLON,
    GUO2020 as GUO2020,
    LESION as LESION,
    SCHEMES as SCHEMES,
    TUMOUR as TUMOUR,
    scheme_named as scheme_named,
)
from .core.split import Split as Split, folds_by_subject as folds_by_subject, split_by_subject as split_by_subject
from .core.volume import Volume as Volume
from .data.doctor.examine import examine as examine
from .data.phantom.cohort import write_phantom_cohort as write_phantom_cohort
from .data.phantom.make import make_phantom as make_phantom
from .data.phantom.spec import PhantomSpec as PhantomSpec
from .data.replay import FreshCases as FreshCases
from .data.png_slices import write_png_slices as write_png_slices
from .data.preparation.landmarks import fit_landmarks as fit_landmarks
from .data.preparation.pipeline import PrepareSpec as PrepareSpec, prepare as prepare
from .io.cohort_file import read_cohort as read_cohort, write_cohort as write_cohort
from .io.ingestion import ingest as ingest
from .io.ingestion import ingest_folder as ingest_folder
from .io.ingestion import join_cohorts as join_cohorts
from .labelmaps.cohort import draw_label_maps as draw_label_maps
from .labelmaps.engine import DrawnMap as DrawnMap, LabelEngine as LabelEngine
from .labelmaps.cohort import preview_maps as preview_maps
from .labelmaps.sources import LabelSources as LabelSources
from .labelmaps.spec import LabelMapSpec as LabelMapSpec
from .lesions.edited_cohort import edit_cohort as edit_cohort
from .lesions.preview import preview_cohort as preview_cohort
from .lesions.recipe import load_recipe as load_recipe
from .lesions.recipe import RecipeSpec as RecipeSpec, edit_labels as edit_labels
from .metrics.evaluate import evaluate_case as evaluate_case
from .mixing.base import AnyMixing as AnyMixing
from .mixing.cohort import mix_cohort as mix_cohort
from .mixing.methods.carvemix import CarveMixSpec as CarveMixSpec
from .mixing.methods.class_contrast import ClassContrastSpec as ClassContrastSpec
from .mixing.methods.cutmix import CutMixSpec as CutMixSpec
from .mixing.methods.tumour_paste import TumourPasteSpec as TumourPasteSpec
from .privacy.plan import plan_audit as plan_audit
from .privacy.rules import AuditSpec as AuditSpec
from .metrics.duplicates import near_duplicates as near_duplicates
from .papers.ours import by_paper as by_paper
from .papers.page import write_papers_page as write_papers_page
from .reader.answers import read_answers as read_answers
from .reader.backup import backup_study as backup_study, restore_study as restore_study
from .reader.create import create_study as create_study
from .reader.demo import simulate_study as simulate_study
from .reader.export import export_study as export_study
from .reader.invitations import invite_reader as invite_reader
from .reader.lock import lock_study as lock_study, status_of as status_of
from .reader.report import report_study as report_study
from .reader.serve import Address as Address, serve_study as serve_study
from .reader.spec import ReaderSpec as ReaderSpec
from .release.export import export_cohorts as export_cohorts
from .release.plan import ExportSpec as ExportSpec
from .runs.catalogue import catalogue as catalogue
from .runs.doctor import write_diagnosis as write_diagnosis
from .runs.evaluate import evaluate_folder as evaluate_folder
from .runs.audit import audit as audit, planned_audit as planned_audit
from .runs.shadow import shadow_scores as shadow_scores
from .runs.fidelity import fidelity as fidelity
from .runs.fidelity_numbers import FidelitySpec as FidelitySpec
from .runs.filter import filter_cohort as filter_cohort, filter_models as filter_models
from .runs.synthesize import fresh_drawn as fresh_drawn, fresh_images as fresh_images, fresh_mixtures as fresh_mixtures
from .runs.segment import complete_folder as complete_folder, segment_folder as segment_folder
from .runs.synthesize import make_synthetic as make_synthetic
from .runs.teaching import write_teaching_set as write_teaching_set
from .runs.tissue_sheets import write_sheets as write_sheets
from .runs.train import (
    TrainingRunSpec as TrainingRunSpec,
    estimate_training as estimate_training,
    run_training as run_training,
)
from .runs.whole import WholeSpec as WholeSpec, make_whole_cases as make_whole_cases
from .sampling.base import load_sampler as load_sampler, train_sampler as train_sampler
from .sampling.cohort import sample_cohort as sample_cohort
from .sampling.preview import preview_samples as preview_samples
from .sampling.walk import write_walk as write_walk
from .segmentation.base import load_segmenter as load_segmenter, train_segmenter as train_segmenter
from .studies.beforehand import PlanSpec as PlanSpec
from .studies.comparing import SegmentersSpec as SegmentersSpec, SynthesizersSpec as SynthesizersSpec
from .studies.engine import run_study as run_study, write_report as write_report
from .studies.later import score_later as score_later
from .studies.forecast import plan_study as plan_study
from .studies.question import load_demo as load_demo, load_study as load_study
from .studies.sourced import ClassificationSpec as ClassificationSpec
from .studies.spec import AugmentationSpec as AugmentationSpec
from .synthesis.base import load_synthesizer as load_synthesizer, train_synthesizer as train_synthesizer
from .synthesis.compose import export_cohort as export_cohort
from .training.budget import Budget as Budget
from .viewer.view import view as view
