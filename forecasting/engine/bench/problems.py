"""What is wrong with a backtest's files or options, said so that the analyst can mend it."""


class BenchProblem(ValueError):
    """The backtest cannot start or go on. ``message`` says what is wrong, ``next_step`` what to do."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(f"{message} Next step: {next_step}")
        self.message = message
        self.next_step = next_step
