from .also import AlsoSpec as AlsoSpec
from .arms import AmountSpec as AmountSpec, Arm as Arm, ScheduleSpec as ScheduleSpec, changed as changed
from .base import StudySpec as StudySpec
from .comparing import (
    ManipulationSpec as ManipulationSpec,
    SamplersSpec as SamplersSpec,
    SegmentersSpec as SegmentersSpec,
    SynthesizersSpec as SynthesizersSpec,
)
from .engine import run_study as run_study, write_report as write_report
from .fold import Fold as Fold, PHANTOMS as PHANTOMS, cohort_in as cohort_in
from .forecast import plan_lines as plan_lines, plan_study as plan_study
from .further import further_rows as further_rows, grid_tables as grid_tables
from .given import settings_of as settings_of
from .later import score_later as score_later
from .leaky import MARK as MARK, person_of as person_of
from .likeness import judged_rows as judged_rows, method_rows as method_rows
from .pages import every_row as every_row, noun_of as noun_of, table_of as table_of
from .plan.arm import arm_tasks as arm_tasks, trial_run as trial_run
from .plan.draw import Draw as Draw, EVERYONE as EVERYONE, draw_of as draw_of
from .plan.shown import shown_tasks as shown_tasks
from .plan.source import (
    Made as Made,
    fidelity_task as fidelity_task,
    gap_tasks as gap_tasks,
    maps_task as maps_task,
    source_tasks as source_tasks,
)
from .question import QUESTIONS as QUESTIONS, load_demo as load_demo, load_study as load_study
from .record import Clock as Clock, Record as Record, Training as Training
from .results import Results as Results, read_study_results as read_study_results
from .scoring import (
    Row as Row,
    class_rows as class_rows,
    fidelity_rows as fidelity_rows,
    labelled as labelled,
    named_regions as named_regions,
    overlap_rows as overlap_rows,
    row_of as row_of,
    tumour_of as tumour_of,
)
from .shown import ShownSpec as ShownSpec
from .sourced import (
    AnonymisationSpec as AnonymisationSpec,
    ClassificationArm as ClassificationArm,
    ClassificationSpec as ClassificationSpec,
    REAL as REAL,
    SourcedSpec as SourcedSpec,
)
from .sources import (
    CopiesSource as CopiesSource,
    FolderSource as FolderSource,
    Joined as Joined,
    JoinedFolder as JoinedFolder,
    MixingSource as MixingSource,
    NoiseSource as NoiseSource,
    SubjectsSpec as SubjectsSpec,
    SynthesizerSource as SynthesizerSource,
    drawn as drawn,
    unverified as unverified,
)
from .spec import AugmentationSpec as AugmentationSpec, LEAKY as LEAKY
from .steps.arm import (
    COPIES as COPIES,
    MIXED as MIXED,
    chosen as chosen,
    fit_arm as fit_arm,
    fit_pilot as fit_pilot,
)
from .steps.audit import audit_route as audit_route
from .steps.classify import fit_classifier as fit_classifier, score_classifier as score_classifier
from .steps.drawn import make_drawn as make_drawn
from .steps.folder import (
    content_of as content_of,
    search_near_duplicates as search_near_duplicates,
    take_folder as take_folder,
)
from .steps.gap import measure_gap as measure_gap
from .steps.hosts import (
    HOSTS as HOSTS,
    SHOWN as SHOWN,
    insert_lesions as insert_lesions,
    paint_shown as paint_shown,
    take_host as take_host,
)
from .steps.join import KIND as KIND, take_joined as take_joined
from .steps.manipulate import edit_maps as edit_maps, judge_edits as judge_edits
from .steps.maps import judge_maps as judge_maps
from .steps.mix import make_mixed as make_mixed, mixed_intact as mixed_intact
from .steps.noise import fit_class_sampler as fit_class_sampler, make_slices as make_slices, samplers_of as samplers_of
from .steps.sample import compare_slices as compare_slices
from .steps.score import (
    compare_reconstructions as compare_reconstructions,
    judge_scans as judge_scans,
    score_images as score_images,
)
from .steps.screen import (
    SCREENER as SCREENER,
    fit_screener as fit_screener,
    screen_cases as screen_cases,
)
from .steps.segment import score_masks as score_masks, score_segmenter as score_segmenter, score_slices as score_slices
from .steps.series import make_series as make_series
from .steps.synthesize import intact as intact, make_cases as make_cases, make_sampled as make_sampled
from .steps.train import fit_sampler as fit_sampler, fit_segmenter as fit_segmenter, fit_synthesizer as fit_synthesizer
from .study import read_study as read_study, require_finished as require_finished
from .task import Context as Context, Side as Side, Task as Task
from .variants import PHANTOM as PHANTOM
