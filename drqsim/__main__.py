"""``python -m drqsim``: the command line."""

from drqsim.cli import main

main()
