"""Entry of `python3 FOLDER_OF_THIS_FILE`: makes the folder a package whatever it is called from."""

import pathlib
import sys

here = pathlib.Path(__file__).absolute().parent
sys.path[0] = str(here.parent)

if __name__ == "__main__":
    from report.command_line import run
    from report.main import main

    run("report", main)
