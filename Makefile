# Seeing CNNs. Every command is course.py's, which runs without make, too: `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
COMMANDS := lab quick test test-all book figures notebooks weights lint types bench clean help
.PHONY: $(COMMANDS)

# DAY=19 names a day where a command takes one; ARGS="..." passes whatever else.
$(COMMANDS):
	@$(PYTHON) course.py $@ $(DAY) $(ARGS)
