"""The corpus while it is made: a list of files, each with what must become of it."""

CASES = []


def case(file, cause, message, content, step="load", inputs=None, budget=None):
    """Adds a file that must be refused at a step, in an error that contains `message`.

    Where `step` is `done` the model is odd but sound: it must run to its end. `budget` is how many
    bytes the session may take.
    """
    entry = {"file": file, "cause": cause, "step": step, "message": message}
    if inputs:
        entry["inputs"] = inputs
    if budget:
        entry["budget"] = budget
    CASES.append((entry, content))
