"""How many robots a zone is asked to have at work: controllers as pure functions of a reading and a small memory."""
