"""Sets other things in all of the program, when it is imported."""

import decimal

import contexts

SEEN = contexts.state()
decimal.getcontext().prec = 60
contexts.VARIABLE.set("late")
