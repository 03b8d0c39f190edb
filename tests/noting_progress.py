"""A progress that notes what it is asked to show."""

from contextlib import contextmanager


class NotingProgress:
    """Notes bars, lines and notes with the name of their task, in the order of the calls."""

    def __init__(self, name="", seen=None):
        self.name, self.seen = name, [] if seen is None else seen

    def track(self, items, title, total=None):
        """Note a bar, and each item that was used."""
        self.seen.append((self.name, "track", title, total))
        for number, item in enumerate(items, start=1):
            yield item
            self.seen.append((self.name, "done", number))

    def say(self, text):
        """Note a line."""
        self.seen.append((self.name, "say", text))

    def note(self, text):
        """Note a note."""
        self.seen.append((self.name, "note", text))

    @contextmanager
    def task(self, name):
        """Note the beginning and the end of a task."""
        self.seen.append((name, "begin"))
        yield NotingProgress(name, self.seen)
        self.seen.append((name, "end"))

    def of(self, name, *kinds):
        """What a task showed, without its name; of some kinds alone."""
        return [rest for task, *rest in self.seen if task == name and (not kinds or rest[0] in kinds)]
