"""The type checker that jaxtyping uses in tests: beartype, taking an int where a float is wanted, as Python does."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
