"""
Choosing settings: GridSearchCV and Optuna
==========================================

Settings of the transformer and of its parts are searched as any other of a Pipeline. What decides
is a score with the labels that there are: here, accuracy on 300 labelled digits. The second
search is `Optuna's <https://optuna.org>`_ (``pip install optuna``).
"""

import matplotlib.pyplot as plt
import numpy as np
import optuna
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from sk_infomax import DeepInfoMaxTransformer

SEED = 0
N_TRIALS = 6

digits = load_digits()
images, labels = digits.images[:300].astype(np.float32), digits.target[:300]

# %%
# A grid
# ------
# Names of parts lead into them: ``dim__critic__temperature``.

dim = DeepInfoMaxTransformer(
    32, encoder="strided", critic="dot", output="embedding", max_epochs=5, random_state=SEED
)
model = Pipeline([("dim", dim), ("classify", LogisticRegression(max_iter=500))])
grid = {"dim__n_components": [16, 64], "dim__critic__temperature": [0.1, 0.5]}
search = GridSearchCV(model, grid, cv=2).fit(images, labels)
for setting, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
    print(f"{score:.3f}  {setting}")

# %%
# Optuna
# ------
# An objective sets the parameters that a trial proposes.


def objective(trial: optuna.Trial) -> float:
    """Accuracy of the Pipeline with the settings of a trial."""
    model.set_params(
        dim__lr=trial.suggest_float("lr", 1e-3, 3e-2, log=True),
        dim__critic__temperature=trial.suggest_float("temperature", 0.05, 1.0, log=True),
        dim__bound=trial.suggest_categorical("bound", ["infonce", "jsd"]),
    )
    return float(np.mean(cross_val_score(model, images, labels, cv=2)))


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED))
study.optimize(objective, n_trials=N_TRIALS)
print(f"{study.best_value:.3f}  {study.best_params}")

# %%
# What was tried
# --------------

figure, axes = plt.subplots(figsize=(5, 3.8), layout="constrained")
for bound, marker in {"infonce": "o", "jsd": "s"}.items():
    trials = [trial for trial in study.trials if trial.params["bound"] == bound]
    rates = [trial.params["lr"] for trial in trials]
    axes.plot(rates, [trial.value or 0.0 for trial in trials], marker, label=bound)
axes.set(xscale="log", xlabel="learning rate", ylabel="accuracy, two folds")
axes.legend()
plt.show()
