from .target import (
    ASKED_TUMOUR as ASKED_TUMOUR,
    ClassifierSpec as ClassifierSpec,
    GRADES as GRADES,
    Target as Target,
    grade_of as grade_of,
    graded_by_parents as graded_by_parents,
    require_grades as require_grades,
)
from .train import (
    Answers as Answers,
    WEIGHTS as WEIGHTS,
    asked as asked,
    auc as auc,
    load_classifier as load_classifier,
    train_classifier as train_classifier,
)
