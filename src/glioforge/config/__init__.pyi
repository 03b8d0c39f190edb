from .load import (
    load_spec as load_spec,
    named_file as named_file,
    parse_spec as parse_spec,
    read_values as read_values,
    resolved_yaml as resolved_yaml,
    with_overrides as with_overrides,
)
from .registry import Registry as Registry, expand_preset as expand_preset
from .spec import Spec as Spec
