"""Pure computation: no clock, no input or output, no engine. Everything here is a function of its arguments."""
