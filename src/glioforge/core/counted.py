"""Numbers with their nouns, in the singular or the plural."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun; the plural takes an s.

    Example:
        >>> counted(1, "case"), counted(0, "subject"), counted(2, "picture")
        ('1 case', '0 subjects', '2 pictures')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
