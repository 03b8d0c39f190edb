"""`python -m glioforge`: the command line, where its script is not on the path."""

from glioforge.cli.main import run

if __name__ == "__main__":
    run()
