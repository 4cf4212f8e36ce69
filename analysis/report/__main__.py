"""Entry of `python3 FOLDER_OF_THIS_FILE`: makes the folder a package whatever it is called from."""

import pathlib
import sys

here = pathlib.Path(__file__).absolute().parent
sys.path[0] = str(here.parent)

if __name__ == "__main__":
    from report.main import main

    sys.exit(main(sys.argv[1:]))
