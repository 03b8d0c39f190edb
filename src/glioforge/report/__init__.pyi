from .answer_plots import ablation_plot as ablation_plot, learning_plot as learning_plot
from .compare import (
    Beforehand as Beforehand,
    against as against,
    compare_endpoints as compare_endpoints,
    contrast_of as contrast_of,
    paired as paired,
)
from .html import render as render, with_parts as with_parts
from .leaks import Bounded as Bounded, bound_plot as bound_plot, planted_plot as planted_plot, roc_plot as roc_plot
from .overlays import (
    Overlay as Overlay,
    extreme_cases as extreme_cases,
    outline_legend as outline_legend,
    overlay_figure as overlay_figure,
    upright as upright,
)
from .page import (
    Block as Block,
    Facts as Facts,
    Figure as Figure,
    Folded as Folded,
    Listing as Listing,
    Note as Note,
    Paragraph as Paragraph,
    Report as Report,
    Section as Section,
    Table as Table,
)
from .plots import (
    floor_plot as floor_plot,
    look_of as look_of,
    snapshot_curve as snapshot_curve,
    subject_plot as subject_plot,
)
from .scores import (
    Endpoint as Endpoint,
    MEAN as MEAN,
    Noun as Noun,
    ResultTable as ResultTable,
    Scores as Scores,
    Spread as Spread,
    TRUTHS as TRUTHS,
    interval_json as interval_json,
    spreads as spreads,
)
from .slices import (
    CONVENTION as CONVENTION,
    PLANES as PLANES,
    Picture as Picture,
    Pixels as Pixels,
    Window as Window,
    as_seen as as_seen,
    best_slice as best_slice,
    case_pictures as case_pictures,
    grey as grey,
    label_colours as label_colours,
    label_rgb as label_rgb,
    legend as legend,
    picture_grid as picture_grid,
    seen_from as seen_from,
    shared_slice as shared_slice,
    window_of as window_of,
)
from .style import (
    COLOURS as COLOURS,
    INK as INK,
    LEAKY as LEAKY,
    MARKS as MARKS,
    SOFT as SOFT,
    UNVERIFIED as UNVERIFIED,
    banner_of as banner_of,
    in_words as in_words,
    png as png,
    sheet as sheet,
    tidy as tidy,
)
from .tables import (
    Trained as Trained,
    cost_table as cost_table,
    difference_table as difference_table,
    empty_table as empty_table,
    refusal_table as refusal_table,
    score_table as score_table,
    spread_table as spread_table,
    subject_table as subject_table,
    training_table as training_table,
)
from .verdict_words import (
    answer as answer,
    exaggerated as exaggerated,
    paragraph as paragraph,
    small_regions as small_regions,
    undecided as undecided,
)
from .words import (
    comparison_json as comparison_json,
    counted as counted,
    findings as findings,
    in_unit as in_unit,
    leading as leading,
    number as number,
    outdone as outdone,
    p_text as p_text,
    ranking as ranking,
    size_text as size_text,
    standings as standings,
    with_interval as with_interval,
)
