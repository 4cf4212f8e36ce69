"""The list of programs, in the order in which it is run."""

from catalogue import compilers, development, languages, makers, servers, tools

PROGRAMS = [
    *languages.PROGRAMS,
    *compilers.PROGRAMS,
    *servers.PROGRAMS,
    *tools.PROGRAMS,
    *makers.PROGRAMS,
    *development.PROGRAMS,
]
assert len({program.name for program in PROGRAMS}) == len(PROGRAMS), "two entries have the same name"
