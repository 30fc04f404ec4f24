"""Warnings: what went through, and what to do about it.

Each is an `InfomaxWarning`, so that one filter reaches them all, and says its next step.

==============================  ==================================================================
Class                           What it says
==============================  ==================================================================
`InfomaxWarning`                the base of all
`DataWarning`                   ``X`` may not be what it was taken for, or was changed to fit
`EstimateWarning`               an estimate of information that can't be trusted in full
`SelectionWarning`              a selector that selects nothing
`TrainingWarning`               the base of what a fit of features says of its training
`ShortTrainingWarning`          too few steps to learn from
`FlatLossWarning`               nothing was learned
`CollapsedEmbeddingWarning`     the embedding hardly tells samples apart
`TooManyComponentsWarning`      more components than samples can carry
`EarlyStoppingWarning`          early stopping was asked for, and never came
==============================  ==================================================================

Examples
--------
>>> import warnings
>>> from sk_infomax.exceptions import ShortTrainingWarning
>>> warnings.simplefilter("ignore", ShortTrainingWarning)
"""

__all__ = [
    "CollapsedEmbeddingWarning",
    "DataWarning",
    "EarlyStoppingWarning",
    "EstimateWarning",
    "FlatLossWarning",
    "InfomaxWarning",
    "SelectionWarning",
    "ShortTrainingWarning",
    "TooManyComponentsWarning",
    "TrainingWarning",
]


class InfomaxWarning(UserWarning):
    """Something that the package went through with, and that may not be what was meant.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import InfomaxWarning
    >>> warnings.simplefilter("ignore", InfomaxWarning)
    """


class DataWarning(InfomaxWarning):
    """``X`` may not be what it was taken for, or was changed to fit.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import DataWarning
    >>> warnings.simplefilter("error", DataWarning)
    """


class EstimateWarning(InfomaxWarning):
    """An estimate of information that can't be trusted in full.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import EstimateWarning
    >>> warnings.simplefilter("always", EstimateWarning)
    """


class SelectionWarning(InfomaxWarning):
    """A selector that selects nothing.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import SelectionWarning
    >>> warnings.simplefilter("error", SelectionWarning)
    """


class TrainingWarning(InfomaxWarning):
    """What a fit of features says of its training; it is fitted all the same.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import TrainingWarning
    >>> warnings.simplefilter("ignore", TrainingWarning)
    """


class ShortTrainingWarning(TrainingWarning):
    """Training made too few steps for a network that learns all of its layers.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import ShortTrainingWarning
    >>> warnings.simplefilter("ignore", ShortTrainingWarning)
    """


class FlatLossWarning(TrainingWarning):
    """After many steps the critics know nothing of what belongs together.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import FlatLossWarning
    >>> warnings.simplefilter("error", FlatLossWarning)
    """


class CollapsedEmbeddingWarning(TrainingWarning):
    """The embedding varies in one direction alone, or not at all.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import CollapsedEmbeddingWarning
    >>> warnings.simplefilter("error", CollapsedEmbeddingWarning)
    """


class TooManyComponentsWarning(TrainingWarning):
    """More components were asked for than so many samples can carry.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import TooManyComponentsWarning
    >>> warnings.simplefilter("error", TooManyComponentsWarning)
    """


class EarlyStoppingWarning(TrainingWarning):
    """Early stopping was asked for, and training went to its end.

    Examples
    --------
    >>> import warnings
    >>> from sk_infomax.exceptions import EarlyStoppingWarning
    >>> warnings.simplefilter("ignore", EarlyStoppingWarning)
    """
